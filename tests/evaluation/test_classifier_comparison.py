"""Two classifiers compared score by score: the differences are those of their scores."""

from __future__ import annotations

import numpy as np
import pytest

from kdistill_core.condition_table import ConditionTable
from kdistill_core.conditions import CONDITIONS, Condition
from kdistill_core.evaluation.classification_scores import classification_scores
from kdistill_core.evaluation.classifier_comparison import Classifier, compare_classifiers
from kdistill_core.evaluation.comparison import Difference
from kdistill_core.evaluation.scores import Unit
from kdistill_core.serialization import from_json, to_json

C = Condition
RESAMPLES = 40


@pytest.fixture(scope="module")
def truth() -> ConditionTable:
    rng = np.random.default_rng(0)
    labels = (rng.random((80, len(CONDITIONS))) < 0.4).astype(float)
    labels[rng.random(labels.shape) < 0.1] = float("nan")
    labels[:, CONDITIONS.index(C.FRACTURE)] = 0.0
    return ConditionTable(
        tuple(f"case-{i}" for i in range(80)), CONDITIONS, labels, tuple(f"patient-{i // 2}" for i in range(80))
    )


def classifier(truth: ConditionTable, sharpness: float, threshold: float, seed: int) -> Classifier:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=truth.values.shape) + sharpness * np.nan_to_num(truth.values)
    chances = ConditionTable(truth.ids, CONDITIONS, 1 / (1 + np.exp(-logits)))
    # In another order, as tables of other tools are.
    return Classifier(chances.select(CONDITIONS[::-1]).rows(truth.ids[::-1]), dict.fromkeys(CONDITIONS, threshold))


def test_differences_are_those_of_the_scores_over_the_same_resamples(truth: ConditionTable) -> None:
    first, second = classifier(truth, 2, 0.6, 1), classifier(truth, 1, 0.5, 2)
    found = compare_classifiers(truth, first, second, resamples=RESAMPLES)
    one, other = (
        {
            (score.metric, score.scope): score
            for score in classification_scores(
                truth,
                each.probabilities,
                thresholds=each.thresholds,
                prevalence=None,
                unit=Unit.IMAGE,
                resamples=RESAMPLES,
            )
        }
        for each in (first, second)
    )
    assert {(difference.metric, difference.scope) for difference in found} == set(one)
    for difference in found:
        score, against = one[difference.metric, difference.scope], other[difference.metric, difference.scope]
        assert difference.first == pytest.approx(score.value, abs=1e-12)
        assert difference.second == pytest.approx(against.value, abs=1e-12)
        assert (difference.n, difference.higher_is_better) == (score.n, score.higher_is_better)
        if score.value is not None and against.value is not None:
            assert difference.value == pytest.approx(score.value - against.value, abs=1e-12)
            assert difference.interval is not None
            assert difference.interval.low <= difference.interval.high


def test_a_condition_that_lacks_a_class_is_named(truth: ConditionTable) -> None:
    found = compare_classifiers(truth, classifier(truth, 2, 0.5, 1), classifier(truth, 1, 0.5, 2), resamples=5)
    fracture = next(d for d in found if (d.metric, d.scope) == ("AUC", C.FRACTURE.value))
    assert (fracture.value, fracture.interval, fracture.bootstrap_p, fracture.randomization_p) == (None,) * 4
    assert "none of 80 labels is positive" in fracture.note


def test_calls_are_compared_where_both_models_have_thresholds(truth: ConditionTable) -> None:
    first, second = classifier(truth, 2, 0.5, 1), classifier(truth, 1, 0.5, 2)
    found = compare_classifiers(truth, first, Classifier(second.probabilities), resamples=5)
    assert {difference.metric for difference in found} == {
        "AUC",
        "average precision",
        "expected calibration error",
        "Brier",
    }
    partly = Classifier(second.probabilities, {C.EDEMA: 0.5})
    f1 = {d.scope: d for d in compare_classifiers(truth, first, partly, resamples=5) if d.metric == "F1"}
    assert f1[C.EDEMA.value].value is not None
    assert f1[C.PNEUMONIA.value].value is None
    assert f1["macro"].value == f1[C.EDEMA.value].value


def test_a_better_model_is_found_better(truth: ConditionTable) -> None:
    found = compare_classifiers(truth, classifier(truth, 3, 0.5, 1), classifier(truth, 0, 0.5, 2), resamples=200)
    micro = next(d for d in found if (d.metric, d.scope) == ("AUC", "micro"))
    assert micro.value is not None
    assert micro.value > 0.2
    assert micro.bootstrap_p is not None
    assert micro.randomization_p is not None
    assert max(micro.bootstrap_p, micro.randomization_p) < 0.02


def test_differences_travel_as_json(truth: ConditionTable) -> None:
    found = compare_classifiers(truth, classifier(truth, 2, 0.5, 1), classifier(truth, 1, 0.5, 2), resamples=5)
    assert from_json(to_json(found), tuple[Difference, ...]) == found
