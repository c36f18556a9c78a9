"""The scores that a reader asks for first, and how numbers are written, the same on the page and at the terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

from kdistill_core.evaluation.comparison import Difference
from kdistill_core.evaluation.resampling import Interval
from kdistill_core.evaluation.scores import Baseline, Score

UNDEFINED = "–"
Named = TypeVar("Named", Score, Difference)
# Metric and scope, in the order of reading; scopes name how many conditions they are over where some are left out.
_MAIN = (
    ("AUC", r"micro|macro"),
    ("average precision", r"macro"),
    ("F1", r"micro|macro"),
    ("expected calibration error", r"micro"),
    ("text F1", r"(micro|macro) over (\d+ of )?(14|5)"),
    ("contradiction rate", r"all findings"),
    ("BLEU-4", r".*"),
    ("ROUGE-L", r".*"),
    ("METEOR.*", r".*"),
    ("semantic similarity", r".*"),
    ("RadGraph F1", r".*"),
)


def main_scores(scores: Sequence[Named]) -> tuple[Named, ...]:
    """Return the pooled and averaged scores (or differences) that a reader asks for first, in the order of reading."""
    return tuple(
        score
        for metric, scope in _MAIN
        for score in scores
        if re.fullmatch(metric, score.metric) and re.fullmatch(scope, score.scope)
    )


def hardest_baseline(score: Score) -> Baseline | None:
    """Return the blind baseline that comes closest to the score or beats it; None where there is none."""
    sign = 1 if score.higher_is_better else -1
    return max(score.baselines, key=lambda baseline: sign * baseline.value, default=None)


def beats(score: Score, baseline: Baseline) -> bool:
    """Tell whether the interval of the lead over a baseline lies on the good side of 0."""
    if baseline.difference is None:
        return False
    return baseline.difference.low > 0 if score.higher_is_better else baseline.difference.high < 0


def number_text(value: float | None) -> str:
    """Return a score with three decimals, or a dash where it is not defined."""
    return UNDEFINED if value is None else f"{value:.3f}"


def interval_text(interval: Interval | None) -> str:
    """Return the two ends of an interval, such as ``0.968 to 0.980``."""
    return UNDEFINED if interval is None else f"{interval.low:.3f} to {interval.high:.3f}"
