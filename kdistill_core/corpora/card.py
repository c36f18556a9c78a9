"""The data card of a corpus: what it holds, where from, under which licenses, and what was turned away."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import kdistill_core
from kdistill_core.corpora.settings import CorpusSettings, PartCounts

CARD = "README.md"
# Publishers word their notices in thousands of ways; a card that listed each would not be read.
_LICENSES_SHOWN = 15


def write_card(
    out: Path, settings: CorpusSettings, parts: Sequence[PartCounts], blocks: Mapping[str, int], length: int
) -> None:
    """Write ``out/README.md``. blocks: how many of ``length`` tokens each split holds."""
    turned_away = Counter[str]()
    for part in parts:
        turned_away.update(part.turned_away)
    read, taken, words = (sum(getattr(part, name) for part in parts) for name in ("read", "taken", "words"))
    lines = [
        f"# Corpus {settings.name}",
        "",
        f"{taken:,} of {read:,} documents, {words:,} words, from {len(parts)} files; made with K-Distill "
        f"{kdistill_core.__version__}. Research use; the texts remain their publishers'.",
        "",
        *_table(("Split", f"Blocks of {length:,} tokens"), [(split, f"{count:,}") for split, count in blocks.items()]),
        "## Turned away",
        "",
        *_table(("Reason", "Documents"), [(reason, f"{count:,}") for reason, count in turned_away.most_common()]),
        "## Damaged and left out",
        "",
        *_damage(parts),
        "## Licenses, as the sources state them",
        "",
        *_table(("License", "Documents"), _licenses(parts, taken)),
        "## Files",
        "",
        *_table(
            ("File", "Read", "Taken", "Damaged", "SHA-256"),
            [(_cell(p.file), f"{p.read:,}", f"{p.taken:,}", f"{p.damaged:,}", p.sha256) for p in parts],
        ),
        "## Settings",
        "",
        *_settings(settings),
        "",
    ]
    (out / CARD).write_text("\n".join(lines), encoding="utf-8")


def _damage(parts: Sequence[PartCounts]) -> list[str]:
    """Return what was left out because it could not be read: its count, and what was wrong with the first a file."""
    count = sum(part.damaged for part in parts)
    if not count:
        return ["Nothing.", ""]
    named = [f"- {_cell(problem)}" for part in parts for problem in part.damages]
    rest = [f"- and {count - len(named):,} more"] if count > len(named) else []
    return [f"{count:,} files, articles of archives or lines could not be read:", "", *named, *rest, ""]


def _licenses(parts: Sequence[PartCounts], taken: int) -> list[tuple[str, str]]:
    counted = Counter[str]()
    for part in parts:
        counted.update(part.licenses)
    shown = counted.most_common(_LICENSES_SHOWN)
    rest = taken - sum(count for _, count in shown)
    rows = [(_cell(name) or "not stated", f"{count:,}") for name, count in shown]
    return [*rows, *([("others, each rarer", f"{rest:,}")] if rest else [])]


def _settings(settings: CorpusSettings) -> list[str]:
    kept_out = [f"{file.name} (SHA-256 {_sha256(file)})" for file in settings.evaluations]
    return [
        f"- Selection: {settings.selection}",
        f"- Near duplicates from a likeness of {settings.near_duplicates} (runs of five words)",
        f"- Held out: {settings.held_out:.1%} of documents, by their ids",
        f"- Kept out: what {', '.join(kept_out) or 'no evaluation'} asks",
        f"- What is damaged: {settings.damaged}",
    ]


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return ["None.", ""]
    ruled = ["---"] * len(header)
    return [*(f"| {' | '.join(row)} |" for row in (header, ruled, *rows)), ""]


def _cell(text: str) -> str:
    line = " ".join(text.split())
    shortened = line if len(line) <= 160 else line[:157] + "..."
    return shortened.replace("|", "\\|")
