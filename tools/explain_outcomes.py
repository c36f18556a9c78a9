"""Run `kdistill explain` on files of every kind and write what became of each to docs/outcomes.md.

    .venv/bin/python tools/explain_outcomes.py [--data ../shared/data]

Three sets: pydicom's own single-frame test files, the DICOM files of a data folder, and images drawn from it by seed.
"""

from __future__ import annotations

import argparse
import csv
import random
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.data import get_testdata_file
from pydicom.errors import InvalidDicomError

import kdistill_core
from kdistill_core.cli.explain import UNEXPECTED
from kdistill_core.cli.outcomes import FILE_NAME, Outcome

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "outcomes.md"
IMAGE_FOLDERS = ("nih/512", "nih/128", "hannover/images", "lung_masks/images", "lung_masks/masks")
IMAGE_ENDINGS = {".jpg", ".jpeg", ".png"}


@dataclass(frozen=True)
class Ended:
    """How one file ended, in the command's own words."""

    outcome: Outcome
    detail: str


def main() -> None:
    """Run the command on all sets and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of real data")
    parser.add_argument("--images", type=int, default=200, help="how many images to draw")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draw")
    arguments = parser.parse_args()

    tests, left_out = single_frame_test_files()
    chests = sorted((arguments.data / "dicom").glob("*.dcm"))
    drawn = draw_images(arguments.data / "images", arguments.images, arguments.seed)
    ended = explain([*tests, *chests, *(path for paths in drawn.values() for path in paths)])
    PAGE.write_text(page(tests, left_out, chests, drawn, ended, arguments.seed), encoding="utf-8")
    print(f"{PAGE}: {dict(Counter(outcome.outcome.value for outcome in ended.values()))}")


def single_frame_test_files() -> tuple[list[Path], int]:
    """Return pydicom's installed test files of at most one frame, and how many have more; nothing is downloaded."""
    folder = Path(str(get_testdata_file("CT_small.dcm", download=False))).parent
    files = sorted(folder.glob("*.dcm"))
    single = [path for path in files if frames(path) <= 1]
    return single, len(files) - len(single)


def frames(path: Path) -> int:
    """Return how many frames a file declares; 1 where it does not say or is not to be read."""
    try:
        dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True)
        return int(dataset.get("NumberOfFrames", 1) or 1)
    except (InvalidDicomError, ValueError, TypeError, OSError, EOFError):
        return 1


def draw_images(folder: Path, count: int, seed: int) -> dict[str, list[Path]]:
    """Return ``count`` images of ``folder``, the same number from each of its sets."""
    generator = random.Random(seed)
    share = count // len(IMAGE_FOLDERS)
    drawn = {}
    for name in IMAGE_FOLDERS:
        images = sorted(path for path in (folder / name).rglob("*") if path.suffix.lower() in IMAGE_ENDINGS)
        drawn[name] = sorted(generator.sample(images, min(share, len(images))))
    return drawn


def explain(files: list[Path]) -> dict[Path, Ended]:
    """Run the command on ``files`` and return how each ended; a traceback or a lost file stops this program."""
    command = str(Path(sys.executable).parent / "kdistill")
    with tempfile.TemporaryDirectory() as out:
        run = subprocess.run(
            [command, "explain", *map(str, files), "--out", out], stderr=subprocess.PIPE, text=True, check=False,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        if "Traceback" in run.stderr or run.returncode not in (0, 1):
            sys.exit(f"kdistill explain ended with {run.returncode}:\n{run.stderr[-4000:]}")
        with (Path(out) / FILE_NAME).open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        for row in rows:
            if UNEXPECTED in row["detail"]:
                sys.exit(f"{row['file']}: {row['detail']}")
            if row["outcome"] == Outcome.EXPLAINED and not (Path(row["folder"]) / "explanation.json").is_file():
                sys.exit(f"{row['file']} is said to be explained, but its explanation is not there.")
    ended = {Path(row["file"]): Ended(Outcome(row["outcome"]), row["detail"]) for row in rows}
    if set(ended) != set(files):
        sys.exit(f"Without an outcome: {sorted(set(files) - set(ended))}")
    return ended


def page(
    tests: list[Path],
    left_out: int,
    chests: list[Path],
    drawn: dict[str, list[Path]],
    ended: dict[Path, Ended],
    seed: int,
) -> str:
    """Return the page in Markdown."""
    number = sum(map(len, drawn.values()))
    lines = [
        "# What `kdistill explain` does with files of every kind",
        "",
        f"Written by `make outcomes` (`tools/explain_outcomes.py`) with K-Distill {kdistill_core.__version__}, "
        f"pydicom {pydicom.__version__} and the bundled student. Every file ended in an explanation or in one line "
        "that says why not; no traceback occurred. *Declined* means: read, but not a frontal chest radiograph as far "
        "as the program can tell. *Unreadable* means: no gray picture could be made of it.",
        "",
        f"## pydicom's own single-frame test files ({len(tests)})",
        "",
        f"The {left_out} multi-frame files of the same folder are left out. {summary(tests, ended)}.",
        "",
        *file_table(tests, ended),
        "",
        f"## Two chest radiographs as DICOM ({len(chests)})",
        "",
        *file_table(chests, ended),
        "",
        f"## {number} images drawn from public sets",
        "",
        f"Drawn with seed {seed}, the same number from each set. The last set holds masks of lungs, which are not "
        "radiographs. Findings are not judged here, only whether an explanation was written.",
        "",
        *set_table(drawn, ended),
    ]
    return "\n".join(lines) + "\n"


def summary(files: list[Path], ended: dict[Path, Ended]) -> str:
    """Return how many of ``files`` ended in each way."""
    numbers = Counter(ended[path].outcome.value for path in files)
    return ", ".join(f"{number} {name}" for name, number in numbers.most_common())


def file_table(files: list[Path], ended: dict[Path, Ended]) -> list[str]:
    """Return a table of one line a file; what an explanation found is left out, as it is not judged here."""
    lines = ["| file | outcome | in the program's words |", "|---|---|---|"]
    for path in files:
        outcome = ended[path]
        detail = "" if outcome.outcome is Outcome.EXPLAINED else plain(outcome.detail)
        lines.append(f"| {path.name} | {outcome.outcome.value} | {detail} |")
    return lines


def set_table(drawn: dict[str, list[Path]], ended: dict[Path, Ended]) -> list[str]:
    """Return a table of one line a set and reason."""
    lines = ["| set | drawn | outcome | files | in the program's words |", "|---|---|---|---|---|"]
    for name, files in drawn.items():
        reasons = Counter(
            (ended[path].outcome.value, "" if ended[path].outcome is Outcome.EXPLAINED else plain(ended[path].detail))
            for path in files
        )
        for (outcome, detail), number in reasons.most_common():
            lines.append(f"| {name} | {len(files)} | {outcome} | {number} | {detail} |")
    return lines


def plain(detail: str) -> str:
    """Return a message as the cell of a table."""
    return detail.replace("|", "\\|")


if __name__ == "__main__":
    main()
