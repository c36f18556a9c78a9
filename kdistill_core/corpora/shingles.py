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
    return [" ".join(words[start : start + length]) for start in range(max(1, len(words) - length + 1))]
