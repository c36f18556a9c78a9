"""Two models on the same cases: the differences of all their scores, with intervals and tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kdistill_core.evaluation.classifier_comparison import Classifier, compare_classifiers
from kdistill_core.evaluation.comparison import Difference, Pair, compare_pairs
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.evaluating import Evidence, ScoringSettings, policies, texts_and_truth
from kdistill_core.evaluation.generation_scores import Generated, default_blank_truth, generation_measures
from kdistill_core.evaluation.result import Thresholds
from kdistill_core.evaluation.scores import Convention, Score

_Key = tuple[str, str, Convention | None]


def differences(
    first: Evidence,
    second: Evidence,
    settings: ScoringSettings,
    *,
    thresholds: tuple[Thresholds | None, Thresholds | None],
    labeler: str,
) -> tuple[Difference, ...]:
    """Return every score of ``first`` minus that of ``second``; both are evidence of the same cases in the same order.

    Probabilities are compared where both models give them, of the conditions that both know; texts where both write.
    Raises EvaluationError where there is nothing that both say.
    """
    found = (
        *_of_probabilities(first, second, settings, thresholds),
        *_of_texts(first, second, settings, labeler),
    )
    if not found:
        raise EvaluationError(
            "The two models cannot be compared: they have neither a condition nor texts in common that the data set "
            "has a truth for.",
            "Give predictions with the same kind of columns.",
        )
    return found


def _of_probabilities(
    first: Evidence,
    second: Evidence,
    settings: ScoringSettings,
    thresholds: tuple[Thresholds | None, Thresholds | None],
) -> list[Difference]:
    one, other = first.probabilities, second.probabilities
    if one is None or other is None:
        return []
    common = tuple(condition for condition in one.conditions if condition in other.conditions)
    truth = first.labels.select(common)
    if not common or np.isnan(truth.values).all():
        return []
    own, theirs = (None if chosen is None else chosen.values for chosen in thresholds)
    found = []
    for policy in policies(truth):
        found += [
            replace(difference, convention=policy.convention)
            for difference in compare_classifiers(
                truth,
                Classifier(one.select(common), own),
                Classifier(other.select(common), theirs),
                resamples=settings.resamples,
                seed=settings.seed,
                uncertain=policy,
            )
        ]
    return found


def _of_texts(first: Evidence, second: Evidence, settings: ScoringSettings, labeler: str) -> list[Difference]:
    if first.said is None or second.said is None or not first.referenced:
        return []
    policy = default_blank_truth(settings.section)
    measures = []
    for evidence in (first, second):
        truth, said, texts, references = texts_and_truth(evidence)
        if np.isnan(truth.values).all():
            return []
        generated = Generated(said, texts)
        measures.append(generation_measures(truth, generated, references, settings.text_metrics, policy, labeler))
    by_key = {_key(measure.score): measure for measure in measures[1]}
    pairs = {
        place: Pair(measure.statistic, by_key[_key(measure.score)].statistic)
        for place, measure in enumerate(measures[0])
        if not np.isnan(measure.value) and not np.isnan(by_key[_key(measure.score)].value)
    }
    drawn = compare_pairs(pairs, truth.groups, settings.resamples, settings.seed)
    patients = len(set(truth.groups))
    return [
        Difference(
            metric=(score := measures[0][place].score).metric,
            scope=score.scope,
            first=draws.first,
            second=draws.second,
            value=draws.difference,
            n=score.n,
            higher_is_better=score.higher_is_better,
            interval=draws.interval(score.n, patients),
            bootstrap_p=draws.bootstrap_p,
            randomization_p=draws.randomization_p,
            convention=score.convention,
        )
        for place, draws in drawn.items()
    ]


def _key(score: Score) -> _Key:
    return score.metric, score.scope, score.convention
