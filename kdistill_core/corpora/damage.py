"""What becomes of literature that cannot be read: the build stops, or it is left out, counted and named."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from kdistill_core.corpora.errors import CorpusError

# A file in which every line is broken must not fill the memory or the data card; the count goes on.
_NAMED = 20

# Takes what is wrong with a part of a file (an article of an archive, a line); returns if the rest is to be read.
OnDamage = Callable[[CorpusError], None]


class Damaged(StrEnum):
    """What a corpus does with a file, an article of an archive or a line of JSON Lines that is damaged."""

    STOP = "stop"
    SKIP = "skip"


def stop(error: CorpusError) -> None:
    """Raise ``error``: nothing that is damaged is passed over."""
    raise error


class LeftOut:
    """Counts what is damaged and keeps what is wrong with the first of it. Call it with each error."""

    def __init__(self) -> None:
        self.count = 0
        self.problems: list[str] = []

    def __call__(self, error: CorpusError) -> None:
        self.count += 1
        if len(self.problems) < _NAMED:
            self.problems.append(error.problem)
