"""How much written texts differ from one another: distinct words, word pairs and sentences, and self-BLEU."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

from kdistill_core.evaluation.teachers.jackknife import Floats

_WORD = re.compile(r"[a-z0-9]+(?:['-][a-z0-9]+)*")
_LONGEST = 4
NGram = tuple[str, ...]


def words_of(text: str) -> list[str]:
    """Return the lower-case words and numbers of a text."""
    return _WORD.findall(text.lower())


def word_groups(text: str, length: int) -> list[NGram]:
    """Return the runs of ``length`` words of a text, in order."""
    words = words_of(text)
    return list(zip(*(words[start:] for start in range(length)), strict=False))


def distinct_share(items: Sequence[Sequence[object]]) -> tuple[float, Floats]:
    """Return how many items of all texts differ, of all items, and the same without each text, float64 [texts].

    items: of each text. NaN where there is no item.
    """
    counted = [Counter(own) for own in items]
    everything = Counter[object]()
    for own in counted:
        everything.update(own)
    total = everything.total()
    # What no other text has goes with the text.
    without = [
        _share(len(everything) - sum(everything[item] == times for item, times in own.items()), total - own.total())
        for own in counted
    ]
    return _share(len(everything), total), np.array(without)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def self_bleu(texts: Sequence[str]) -> Floats:
    """Return BLEU-4 of each text with all others as its references, float64 [texts], in [0, 1].

    It is sacrebleu's sentence BLEU with its 13a tokens, lower case, exponential smoothing and the length of the closest
    reference; n-grams of all references are counted once and not once for each text. NaN for a text without words, or
    without another text.
    """
    tokenize = Tokenizer13a()  # type: ignore[no-untyped-call]
    rows = [tokenize(text.lower()).split() for text in texts]
    counts = [_ngrams(row) for row in rows]
    first, second = _two_highest(counts)
    lengths = np.array([len(row) for row in rows])
    found = np.full(len(texts), np.nan)
    for place, (row, own) in enumerate(zip(rows, counts, strict=True)):
        if not row or len(texts) < 2:
            continue
        matched, total = [0] * _LONGEST, [0] * _LONGEST
        for ngram, times in own.items():
            # How often another text has it at most: the highest count, unless that is this text's own.
            highest, owner = first[ngram]
            allowed = second.get(ngram, 0) if owner == place else highest
            matched[len(ngram) - 1] += min(times, allowed)
            total[len(ngram) - 1] += times
        closest = _closest(len(row), np.delete(lengths, place))
        score = BLEU.compute_bleu(
            matched, total, len(row), closest, smooth_method="exp", effective_order=True, max_ngram_order=_LONGEST
        )
        found[place] = score.score / 100
    return found


def _closest(length: int, others: NDArray[np.int64]) -> int:
    """Return the length nearest to ``length``, the shorter of two that are as near."""
    ordered = np.sort(others)
    return int(ordered[np.abs(ordered - length).argmin()])


def _ngrams(row: Sequence[str]) -> Counter[NGram]:
    return Counter(
        tuple(row[start : start + length])
        for length in range(1, _LONGEST + 1)
        for start in range(len(row) - length + 1)
    )


def _two_highest(counts: Sequence[Counter[NGram]]) -> tuple[dict[NGram, tuple[int, int]], dict[NGram, int]]:
    """Return the highest count of each n-gram with the place of the text that has it, and the second highest."""
    first: dict[NGram, tuple[int, int]] = {}
    second: dict[NGram, int] = {}
    for place, own in enumerate(counts):
        for ngram, times in own.items():
            highest, owner = first.get(ngram, (0, place))
            if times > highest:
                first[ngram] = (times, place)
                if owner != place:
                    second[ngram] = highest
            else:
                second[ngram] = max(second.get(ngram, 0), times)
    return first, second
