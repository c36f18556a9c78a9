"""Draw entries of the rationale library for a blind reading: three findings a condition, in no order, without author.

    python tools/blind_reading.py [LIBRARY.json] [--seed 42] [--a-condition 3]

The reader gets the finding and the sentences, not who wrote them or what the gate said, and says of each entry whether
it is right, awkward, misleading or wrong. The findings of a condition are of different states as far as it has them.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from kdistill_core.conditions import State
from kdistill_core.resources import resource
from kdistill_core.teacher.context import RationaleContext
from kdistill_core.teacher.entries import LibraryEntry
from kdistill_core.teacher.library import RationaleLibrary

_STATES = (State.POSITIVE, State.UNCERTAIN, State.NEGATIVE)


def main() -> None:
    """Print the entries that were drawn, numbered."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=Path, nargs="?", default=resource("rationales/library.json"))
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--a-condition", type=int, default=3)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    drawn = list(_drawn(RationaleLibrary.load(options.library).entries, options.a_condition, rng))
    rng.shuffle(drawn)
    for number, entry in enumerate(drawn, 1):
        told = [f"{entry.condition}, {entry.state}"]
        told += [f"side {entry.side}"] if entry.side else []
        told += [f"severity {entry.severity}"] if entry.severity else []
        print(f"\n[{number}] {', '.join(told)}")
        for sentence in entry.sentences:
            print(f"   {sentence.role}: {sentence.text}")


def _drawn(entries: tuple[LibraryEntry, ...], count: int, rng: random.Random) -> Iterator[LibraryEntry]:
    conditions: dict[str, dict[RationaleContext, list[LibraryEntry]]] = defaultdict(lambda: defaultdict(list))
    for entry in entries:
        conditions[entry.condition][entry.context].append(entry)
    for findings in conditions.values():
        left = rng.sample(sorted(findings, key=repr), len(findings))
        # The first of each state come first.
        first = [next((context for context in left if context.state is state), None) for state in _STATES]
        ordered = [context for context in first if context is not None]
        ordered += [context for context in left if context not in ordered]
        pool = [entry for context in ordered[:count] for entry in [rng.choice(findings[context])]]
        # A condition of fewer findings gives further variants of them.
        rest = [entry for context in ordered for entry in findings[context] if entry not in pool]
        yield from (*pool, *rest)[:count]


if __name__ == "__main__":
    main()
