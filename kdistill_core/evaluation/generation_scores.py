"""Everything that is scored of generated reports, in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kdistill_core.condition_table import ConditionTable
from kdistill_core.evaluation import metric_facts
from kdistill_core.evaluation.clinical_f1 import BlankTruth, f1_measures
from kdistill_core.evaluation.contradictions import contradiction_measures
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.measures import Floats, Measure, compute, ratio
from kdistill_core.evaluation.scores import Score, Section, Unit
from kdistill_core.evaluation.text_metrics import text_metric

TEXT_F1 = metric_facts.TEXT_F1.name
CONTRADICTIONS = metric_facts.CONTRADICTION_RATE.name
# Those that need no optional package; any name of ``text_metrics.available_metrics`` may be asked for besides.
METRICS = (
    TEXT_F1,
    CONTRADICTIONS,
    metric_facts.OPPOSITE_SIDE_RATE.name,
    metric_facts.BLEU.name,
    metric_facts.ROUGE_L.name,
    metric_facts.METEOR.name,
)


@dataclass(frozen=True, eq=False)
class Generated:
    """What was generated for every case. said: the labels read from it; texts: itself, None where only labels are."""

    said: ConditionTable
    texts: Sequence[str] | None = None


@dataclass(frozen=True, eq=False)
class GenerationResult:
    """scores: over all cases. cases: of every case by name, float64 [n] in the order of the truth; NaN for no value."""

    scores: tuple[Score, ...]
    cases: dict[str, Floats]


def score_generation(
    truth: ConditionTable,
    generated: Generated,
    *,
    references: Sequence[str] | None,
    section: Section,
    unit: Unit,
    labeler: str,
    metrics: Sequence[str] = METRICS,
    blank_truth: BlankTruth | None = None,
    baselines: Mapping[str, Generated] | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> GenerationResult:
    """Return every score of generated texts, with its interval by patient (``truth.groups``), and the cases' values.

    truth: labels (1, 0, -1, NaN) that ``labeler`` read from the references, or the data set's own. references, and all
    texts: one a case, in the order of ``truth.ids``. blank_truth: what a blank label of the truth means, by default
    :func:`default_blank_truth` of the section. baselines: by name, what else was said of the same cases, such as one
    text for all of them; every score is compared with theirs over the same resamples. A metric of texts without texts
    or references has a score without a value, and baselines without texts are left out of its comparison.
    Raises ConditionTableError for cases or conditions that do not match; EvaluationError for no case, a value that is
    no label, texts that are not one a case, and a metric that does not exist or cannot run here.
    """
    if not len(truth):
        raise EvaluationError("There is no case to score.", "Check the data folder and the split.")
    policy = blank_truth or default_blank_truth(section)
    wanted = tuple(dict.fromkeys(metrics))
    measures = generation_measures(truth, generated, references, wanted, policy, labeler)
    others = {
        name: generation_measures(truth, other, references, wanted, policy, labeler)
        for name, other in (baselines or {}).items()
    }
    scores = compute(measures, truth.groups, resamples, seed, others)
    return GenerationResult(
        tuple(replace(score, section=section, unit=unit) for score in scores),
        {measure.cases.name: measure.cases.values for measure in measures if measure.cases is not None},
    )


def default_blank_truth(section: Section) -> BlankTruth:
    """Return what a blank means in labels from there: unknown in a data set's own, absent in those of a report."""
    return BlankTruth.UNKNOWN if section is Section.LABELS else BlankTruth.NEGATIVE


def generation_measures(
    truth: ConditionTable,
    generated: Generated,
    references: Sequence[str] | None,
    metrics: Sequence[str],
    policy: BlankTruth,
    labeler: str,
) -> list[Measure]:
    """Return the measures behind :func:`score_generation`, for comparing two models; the arguments are as there."""
    measures: list[Measure] = []
    for name in metrics:
        if name == TEXT_F1:
            measures += f1_measures(truth, generated.said, policy, labeler)
        elif name == CONTRADICTIONS:
            measures += contradiction_measures(truth, generated.said, labeler)
        else:
            measures += _text_measures(name, len(truth), generated.texts, references)
    return measures


def _text_measures(
    name: str, cases: int, texts: Sequence[str] | None, references: Sequence[str] | None
) -> tuple[Measure, ...]:
    metric = text_metric(name)
    if texts is None or references is None:
        absent = "generated texts" if texts is None else "reference texts"
        score = Score(name, "all", None, 0, metric.facts.higher_is_better, note=f"no {absent} were given")
        return (Measure(score, np.zeros((cases, 2)), ratio),)
    if len(texts) != cases or len(references) != cases:
        raise EvaluationError(
            f"There are {len(texts)} texts and {len(references)} references of {cases} cases.",
            "Give one of each a case, in the order of the labels; an empty text where there is none.",
        )
    note = _note_on_empty(texts, references)
    measures = metric.compute(texts, references)
    return tuple(replace(each, score=replace(each.score, note=each.score.note + note)) for each in measures)


def _note_on_empty(texts: Sequence[str], references: Sequence[str]) -> str:
    empty = [sum(not text.strip() for text in side) for side in (texts, references)]
    return f"; {empty[0]} texts and {empty[1]} references are empty" if any(empty) else ""
