"""The data card of a corpus: what it holds, where from, under which licenses, and what was turned away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import kdistill_core
from kdistill_core.corpora.building import CorpusSettings, PartCounts

CARD = "README.md"
# Publishers word their notices in thousands of ways; a card that listed each would not be read.
_LICENSES_SHOWN = 15


def write_card(
    out: Path, settings: CorpusSettings, parts: Sequence[PartCounts], blocks: Mapping[str, int], length: int
) -> None:
    """Write ``out/README.md``. blocks: how many of ``length`` tokens each split holds."""
    turned_away, licenses = Counter[str](), Counter[str]()
    for part in parts:
        turned_away.update(part.turned_away)
        licenses.update(part.licenses)
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
        "## Licenses, as the sources state them",
        "",
        *_table(
            ("License", "Documents"),
            [(_cell(name) or "not stated", f"{count:,}") for name, count in licenses.most_common(_LICENSES_SHOWN)],
        ),
        "## Files",
        "",
        *_table(
            ("File", "Read", "Taken", "SHA-256"),
            [(_cell(part.file), f"{part.read:,}", f"{part.taken:,}", part.sha256) for part in parts],
        ),
        "## Settings",
        "",
        f"- Selection: {settings.selection}",
        f"- Near duplicates from a likeness of {settings.near_duplicates} (runs of five words)",
        f"- Held out: {settings.held_out:.1%} of documents, by their ids",
        f"- Kept out: what {', '.join(file.name for file in settings.evaluations) or 'no evaluation'} asks",
        "",
    ]
    (out / CARD).write_text("\n".join(lines), encoding="utf-8")


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return ["None.", ""]
    ruled = ["---"] * len(header)
    return [*(f"| {' | '.join(row)} |" for row in (header, ruled, *rows)), ""]


def _cell(text: str) -> str:
    shortened = text if len(text) <= 100 else text[:97] + "..."
    return shortened.replace("|", "\\|")
