"""Gather general English text from Debian's packages, to measure what a teacher has forgotten.

    python tools/general_text.py runs/general.jsonl

Downloads three packages with apt-get, without installing them: the Jargon File (dict-jargon), sayings and passages on
thirty subjects (fortunes), and the Debian project's documents (doc-debian). Consecutive paragraphs are joined into
documents of about 250 words. Used for measuring only; nothing is trained on it or shipped.
"""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("dict-jargon", "fortunes", "doc-debian")
WORDS = 250
# Sayings that are program text, or that their own package keeps apart as offensive.
_LEFT_OUT = {"perl", "linux", "knghtbrd", "off", "translate-me"}


def main() -> None:
    """Write the documents as JSON Lines to the file given as the first argument."""
    out = Path(sys.argv[1])
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        unpacked = Path(folder)
        _unpack(unpacked)
        documents = [
            {"id": f"{source}:{number}", "text": text, "language": "eng"}
            for source, paragraphs in _sources(unpacked)
            for number, text in enumerate(_joined(paragraphs))
        ]
    out.write_text("".join(json.dumps(document) + "\n" for document in documents), encoding="utf-8")
    print(f"{len(documents)} documents in {out}")


def _unpack(folder: Path) -> None:
    # As the user who started it: apt's own sandbox user may not write here.
    subprocess.run(
        ["apt-get", "download", "-o", "APT::Sandbox::User=root", *PACKAGES], cwd=folder, check=True, capture_output=True
    )
    for package in sorted(folder.glob("*.deb")):
        print(package.name)
        subprocess.run(["dpkg", "-x", package, folder], check=True)


def _sources(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each source's name with its paragraphs."""
    jargon = gzip.decompress((folder / "usr/share/dictd/jargon.dict.dz").read_bytes()).decode("utf-8", "replace")
    yield "jargon", [entry for entry in re.split(r"\n(?=\S)", jargon) if len(entry.split()) > 20]
    for file in sorted((folder / "usr/share/games/fortunes").iterdir()):
        if file.is_file() and not file.suffix and file.name not in _LEFT_OUT:
            sayings = re.split(r"\n%\n", file.read_text("utf-8", "replace"))
            yield f"fortunes-{file.name}", [saying for saying in sayings if len(saying.split()) > 25]
    for file in sorted((folder / "usr/share/doc/debian").rglob("*.txt*")):
        if re.search(r"constitution\.\d", file.name):
            continue  # earlier versions of the same text
        raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        yield f"debian-{file.name}", re.split(r"\n\s*\n", raw.decode("utf-8", "replace"))


def _joined(paragraphs: list[str]) -> Iterator[str]:
    held: list[str] = []
    for paragraph in paragraphs:
        held.append(" ".join(paragraph.split()))
        if sum(len(text.split()) for text in held) >= WORDS:
            yield "\n\n".join(held)
            held = []


if __name__ == "__main__":
    main()
