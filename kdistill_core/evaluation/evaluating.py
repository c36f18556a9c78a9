"""From the truth of some cases and what a model said of them to every score, with baselines and notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kdistill_core.condition_table import ConditionTable, table_of_findings
from kdistill_core.evaluation.baselines import (
    CONSTANT_SET,
    CONSTANT_TEXT,
    MEANINGS,
    SHUFFLED,
    best_constant_set,
    best_constant_text,
    derangement,
    saying,
    shuffled,
    with_shuffled,
)
from kdistill_core.evaluation.cases import CaseSet
from kdistill_core.evaluation.classification_scores import (
    ALL_CALLED,
    OWN_PREVALENCE,
    TRAINING_PREVALENCE,
    classification_scores,
)
from kdistill_core.evaluation.clinical_f1 import BlankTruth
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.generation_scores import (
    METRICS,
    Generated,
    GenerationResult,
    default_blank_truth,
    score_generation,
)
from kdistill_core.evaluation.label_counts import LabelCounts, prevalence
from kdistill_core.evaluation.label_policy import UncertainPolicy
from kdistill_core.evaluation.predictions import Predictions
from kdistill_core.evaluation.result import Thresholds
from kdistill_core.evaluation.scores import Score, Section
from kdistill_core.labeling import with_implied
from kdistill_core.labeling.labelers import Labeler

_MEANINGS = MEANINGS | {
    TRAINING_PREVALENCE: "every case scored with each condition's share of positives in training",
    OWN_PREVALENCE: "every case scored with each condition's share of positives among these very cases, since no "
    "training labels are known; harder to beat than that of training",
    ALL_CALLED: "every condition called present in every case",
}


@dataclass(frozen=True)
class ScoringSettings:
    """How cases are scored. text_metrics: see :mod:`kdistill_core.evaluation.text_metrics`."""

    section: Section
    resamples: int = 2000
    seed: int = 0
    text_metrics: tuple[str, ...] = METRICS


@dataclass(frozen=True)
class Prior:
    """What is known before an image is looked at. counts: of training labels; origin: where they come from."""

    counts: LabelCounts
    origin: str


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the scores of one model follow from, all of the same cases in the same order.

    labels: of the data set. predictions: of the cases. said: labels read from the model's texts, None where it writes
    none. reported: labels read from the reference texts, None where the labels of the data set are the truth of texts.
    """

    cases: CaseSet
    labels: ConditionTable
    predictions: Predictions
    said: ConditionTable | None
    reported: ConditionTable | None

    @property
    def probabilities(self) -> ConditionTable | None:
        """The model's probabilities, of the conditions it knows."""
        return self.predictions.probabilities

    @property
    def referenced(self) -> tuple[int, ...]:
        """The places of the cases that have what texts are scored against."""
        if self.reported is None:
            return tuple(range(len(self.cases.cases)))
        return tuple(place for place, case in enumerate(self.cases.cases) if case.reference)


def gather(case_set: CaseSet, predictions: Predictions, labeler: Labeler, section: Section) -> Evidence:
    """Return what the scores follow from. predictions: of each of the cases, in their order.

    Where the truth of texts is the data set's labels (``Section.LABELS``), which name what a finding implies, so is
    what is read from the texts; labels read from two texts are compared as they were read.
    """
    ids = tuple(case.id for case in case_set.cases)
    labels = case_set.labels

    def read(texts: Sequence[str]) -> ConditionTable:
        findings = labeler.label(list(texts))
        closed = [with_implied(of_case) for of_case in findings] if section is Section.LABELS else findings
        return table_of_findings(ids, closed, labels.groups)

    said = None if predictions.reports is None else read(predictions.reports)
    reported = None if section is Section.LABELS else read([case.reference for case in case_set.cases])
    return Evidence(case_set, labels, predictions, said, reported)


@dataclass(frozen=True, eq=False)
class Scored:
    """Every score, and by name those that each case has of its own: float64 [n], NaN where a case has none."""

    scores: tuple[Score, ...]
    cases: dict[str, NDArray[np.float64]]


def score(
    evidence: Evidence,
    settings: ScoringSettings,
    *,
    thresholds: Thresholds | None,
    prior: Prior | None,
    labeler: str,
) -> Scored:
    """Return every score that the evidence allows, each with its interval by patient and its blind baselines.

    Raises EvaluationError where it allows none.
    """
    of_texts = _of_texts(evidence, settings, prior, labeler)
    scores = (*_of_probabilities(evidence, settings, thresholds, prior), *of_texts.scores)
    if not scores:
        raise EvaluationError(
            "There is nothing to score: the data set has no truth for what the model says.",
            "Choose another --section, or a data set with labels.",
        )
    cases = {}
    for name, values in of_texts.cases.items():
        cases[name] = np.full(len(evidence.labels), np.nan)
        cases[name][list(evidence.referenced)] = values
    return Scored(scores, cases)


def meanings(scores: Sequence[Score], prior: Prior | None) -> dict[str, str]:
    """Return what each baseline beside ``scores`` is, by name."""
    used = dict.fromkeys(baseline.name for one in scores for baseline in one.baselines)
    origin = "" if prior is None else f" (training labels: {prior.origin})"
    return {name: _MEANINGS[name] + (origin if "training" in _MEANINGS[name] and origin else "") for name in used}


def policies(labels: ConditionTable) -> tuple[UncertainPolicy, ...]:
    """Return what uncertain labels are to count as: both conventions where there are any, and leaving them out."""
    if not (labels.values == -1).any():
        return (UncertainPolicy.IGNORE,)
    return (UncertainPolicy.IGNORE, UncertainPolicy.ZEROS, UncertainPolicy.ONES)


def _of_probabilities(
    evidence: Evidence,
    settings: ScoringSettings,
    thresholds: Thresholds | None,
    prior: Prior | None,
) -> tuple[Score, ...]:
    if evidence.probabilities is None or np.isnan(evidence.labels.values).all():
        return ()
    truth = evidence.labels.select(evidence.probabilities.conditions)
    order = derangement(truth.groups, settings.seed)
    scores: list[Score] = []
    for policy in policies(truth):
        found = classification_scores(
            truth,
            evidence.probabilities,
            thresholds=None if thresholds is None else thresholds.values,
            prevalence=None if prior is None else prevalence(prior.counts, policy),
            unit=evidence.cases.unit,
            resamples=settings.resamples,
            seed=settings.seed,
            uncertain=policy,
        )
        scores += with_shuffled(
            found,
            truth,
            evidence.probabilities,
            order,
            uncertain=policy,
            resamples=settings.resamples,
            seed=settings.seed,
        )
    return tuple(scores)


def _of_texts(evidence: Evidence, settings: ScoringSettings, prior: Prior | None, labeler: str) -> GenerationResult:
    if evidence.said is None or evidence.predictions.reports is None:
        return GenerationResult((), {})
    truth, said, texts, references = texts_and_truth(evidence)
    if not len(truth) or np.isnan(truth.values).all():
        return GenerationResult((), {})
    # Shuffled among the cases that are scored, so that each text is held against another's reference.
    order = derangement(truth.groups, settings.seed)
    baselines = {SHUFFLED: Generated(shuffled(said, order), [texts[place] for place in order])}
    if prior is not None:
        counts = prior.counts
        if default_blank_truth(settings.section) is BlankTruth.NEGATIVE:
            counts = {condition: count.with_blanks_absent for condition, count in counts.items()}
        baselines[CONSTANT_TEXT] = Generated(saying(best_constant_text(counts), truth))
        baselines[CONSTANT_SET] = Generated(saying(best_constant_set(counts), truth))
    return score_generation(
        truth,
        Generated(said, texts),
        references=references,
        section=settings.section,
        unit=evidence.cases.unit,
        labeler=labeler,
        metrics=settings.text_metrics,
        baselines=baselines,
        resamples=settings.resamples,
        seed=settings.seed,
    )


def texts_and_truth(evidence: Evidence) -> tuple[ConditionTable, ConditionTable, list[str], list[str] | None]:
    """Return truth, what was said, the texts and their references, of the cases that have what they are scored against.

    Without reference texts the truth is the data set's labels and the references are None.
    """
    at = evidence.referenced
    truth = evidence.labels if evidence.reported is None else evidence.reported
    ids = [truth.ids[place] for place in at]
    texts, said = evidence.predictions.reports or (), evidence.said or evidence.labels
    references = None if evidence.reported is None else [evidence.cases.cases[place].reference for place in at]
    return truth.rows(ids), said.rows(ids), [texts[place] for place in at], references
