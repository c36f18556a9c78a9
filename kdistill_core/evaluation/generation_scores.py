"""Everything that is scored of generated reports, in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kdistill_core.condition_table import ConditionTable
from kdistill_core.evaluation.clinical_f1 import BlankTruth, f1_measures
from kdistill_core.evaluation.measures import Measure, compute
from kdistill_core.evaluation.scores import Score, Section, Unit

TEXT_F1 = "text F1"
METRICS = (TEXT_F1,)


def generation_scores(
    truth: ConditionTable,
    said: ConditionTable,
    *,
    texts: Sequence[str] | None,
    references: Sequence[str] | None,
    section: Section,
    unit: Unit,
    labeler: str,
    metrics: Sequence[str] = METRICS,
    blank_truth: BlankTruth | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[Score, ...]:
    """Return the scores of generated texts against references and labels, each with its interval by patient.

    truth: labels (1, 0, -1, NaN) of the references, or given by the data set; said: labels that ``labeler`` read from
    the generated texts, of the same cases. texts, references: in the order of ``truth.ids``. blank_truth: what a blank
    label of the truth means, by default :func:`default_blank_truth` of the section.
    Raises ConditionTableError for cases or conditions that do not match, EvaluationError for a value that is no label.
    """
    policy = blank_truth or default_blank_truth(section)
    measures: list[Measure] = []
    if TEXT_F1 in metrics:
        measures += f1_measures(truth, said, policy, labeler)
    scores = compute(measures, truth.groups, resamples, seed)
    return tuple(replace(score, section=section, unit=unit) for score in scores)


def default_blank_truth(section: Section) -> BlankTruth:
    """Return what a blank means in labels from there: unknown in a data set's own, absent in those of a report."""
    return BlankTruth.UNKNOWN if section is Section.LABELS else BlankTruth.NEGATIVE
