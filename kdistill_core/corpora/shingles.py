"""Runs of words, by which texts are compared; case and punctuation do not count."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

RUN = 5
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Shingled:
    """A text's words, case folded and without punctuation, and every run of :data:`RUN` of them."""

    words: list[str]
    runs: list[str]


def shingled(text: str) -> Shingled:
    """Return what a text is compared by."""
    words = words_of(text)
    return Shingled(words, runs_of(words))


def words_of(text: str) -> list[str]:
    """Return the words of ``text``, case folded, without punctuation."""
    return _WORD.findall(text.casefold())


def runs_of(words: Sequence[str], length: int = RUN) -> list[str]:
    """Return every run of ``length`` neighboring words; all of them as one where there are fewer."""
    if len(words) < length:
        return [" ".join(words)]
    # All of it in C: this is done for every word of a corpus.
    return list(map(" ".join, zip(*(words[place:] for place in range(length)), strict=False)))
