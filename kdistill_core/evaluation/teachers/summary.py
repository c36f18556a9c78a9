"""The scores of teachers as rows of a table, the same on the page, in the figures and at the terminal."""

from __future__ import annotations

from dataclasses import dataclass

from kdistill_core.evaluation.summary import UNDEFINED, interval_text, number_text
from kdistill_core.evaluation.teachers.facts import PASS_RATE, REJECTED, TEACHER_METRICS
from kdistill_core.evaluation.teachers.result import ComparedBy, Comparison, TeacherQuality, TeacherScore
from kdistill_core.evaluation.teachers.writing_quality import ALL_CONTEXTS

_FACTS = {facts.name: facts for facts in TEACHER_METRICS}


@dataclass(frozen=True)
class Row:
    """One measure of all teachers, in their order; None where it was not measured.

    counts, note: in words. share: whether it lies between 0 and 1.
    """

    metric: str
    scope: str
    n: int
    higher_is_better: bool
    share: bool
    counts: str
    note: str
    scores: tuple[TeacherScore | None, ...]


def every_row(result: TeacherQuality) -> tuple[Row, ...]:
    """Return every measure, in the order of the teachers' scores."""
    by_teacher = [
        {(score.score.metric, score.score.scope): score for score in teacher.scores} for teacher in result.teachers
    ]
    keys = dict.fromkeys(key for own in by_teacher for key in own)
    rows = []
    for metric, scope in keys:
        scores = tuple(own.get((metric, scope)) for own in by_teacher)
        shown = next(score.score for score in scores if score is not None)
        facts = _FACTS[metric]
        rows.append(
            Row(
                metric,
                scope,
                shown.n,
                shown.higher_is_better,
                facts.highest == 1,
                facts.counts,
                shown.note,
                scores,
            )
        )
    return tuple(rows)


def main_rows(result: TeacherQuality) -> tuple[Row, ...]:
    """Return the measures that a reader asks for first: none by condition, none by check."""
    return tuple(
        row
        for row in every_row(result)
        if row.metric != REJECTED.name and (row.metric != PASS_RATE.name or row.scope == ALL_CONTEXTS)
    )


def comparison_text(comparison: Comparison | None) -> str:
    """Return a comparison with its interval, such as ``x 0.790 (0.772 to 0.810)`` or ``+0.120 (0.050 to 0.190)``."""
    if comparison is None:
        return UNDEFINED
    ratio = comparison.by is ComparedBy.RATIO
    value = f"× {number_text(comparison.value)}" if ratio else f"{comparison.value:+.3f}"
    return f"{value} ({interval_text(comparison.interval)})"


def differs(comparison: Comparison) -> bool:
    """Tell whether the interval of a comparison leaves out that both are equal."""
    equal = 1.0 if comparison.by is ComparedBy.RATIO else 0.0
    interval = comparison.interval
    return interval is not None and not interval.low <= equal <= interval.high
