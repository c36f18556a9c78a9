"""The scores of a classifier: values by other libraries, intervals by a plain loop, and what is said beside them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from kdistill_core.condition_table import ConditionTable, ConditionTableError
from kdistill_core.conditions import CONDITIONS, FIVE_CONDITIONS, Condition
from kdistill_core.evaluation.classification_scores import (
    ALL_CALLED,
    OWN_PREVALENCE,
    TRAINING_PREVALENCE,
    classification_scores,
)
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.label_policy import UncertainPolicy
from kdistill_core.evaluation.scores import Convention, Score, Unit
from kdistill_core.serialization import from_json, to_json

NAN = float("nan")
C = Condition
HALF = dict.fromkeys(CONDITIONS, 0.5)


def made(n: int = 120, conditions: tuple[Condition, ...] = CONDITIONS) -> tuple[ConditionTable, ConditionTable]:
    """Two cases a patient, labels in all four states, probabilities with ties."""
    rng = np.random.default_rng(0)
    ids, groups = tuple(f"case-{i}" for i in range(n)), tuple(f"patient-{i // 2}" for i in range(n))
    labels = (rng.random((n, len(conditions))) < np.linspace(0.15, 0.5, len(conditions))).astype(float)
    chances = np.round(1 / (1 + np.exp(1 - rng.normal(size=labels.shape) - 2 * labels)), 2)
    labels[rng.random(labels.shape) < 0.1] = NAN
    labels[rng.random(labels.shape) < 0.1] = -1
    return ConditionTable(ids, conditions, labels, groups), ConditionTable(ids, conditions, chances)


def scored(truth: ConditionTable, given: ConditionTable, **options: object) -> dict[tuple[str, str], Score]:
    settings: dict[str, object] = {"thresholds": HALF, "prevalence": None, "unit": Unit.IMAGE, "resamples": 60}
    scores = classification_scores(truth, given, **(settings | options))  # type: ignore[arg-type]
    return {(score.metric, score.scope): score for score in scores}


@pytest.fixture(scope="module")
def scores() -> dict[tuple[str, str], Score]:
    return scored(*made())


def plain(policy: UncertainPolicy) -> NDArray[np.float64]:
    labels = made()[0].values.copy()
    labels[labels == -1] = {UncertainPolicy.IGNORE: NAN, UncertainPolicy.ZEROS: 0.0, UncertainPolicy.ONES: 1.0}[policy]
    return labels


@pytest.mark.parametrize("policy", list(UncertainPolicy))
def test_values_agree_with_scikit_learn_under_every_policy(policy: UncertainPolicy) -> None:
    truth, given = made()
    found = scored(truth, given, uncertain=policy, resamples=2)
    labels, chances = plain(policy), given.values
    known = ~np.isnan(labels)
    by_condition: dict[str, list[float]] = {"AUC": [], "average precision": [], "F1": []}
    for k, condition in enumerate(CONDITIONS):
        at = known[:, k]
        expected = {
            "AUC": roc_auc_score(labels[at, k], chances[at, k]),
            "average precision": average_precision_score(labels[at, k], chances[at, k]),
            "F1": f1_score(labels[at, k], chances[at, k] >= 0.5),
        }
        for metric, value in expected.items():
            assert found[metric, condition.value].value == pytest.approx(value, abs=1e-9)
            by_condition[metric].append(value)
        assert found["AUC", condition.value].n == at.sum()
        assert found["AUC", condition.value].positive == (labels[at, k] == 1).sum()
    for metric, values in by_condition.items():
        assert found[metric, "macro"].value == pytest.approx(np.mean(values), abs=1e-9)
        five = [values[CONDITIONS.index(condition)] for condition in FIVE_CONDITIONS]
        assert found[metric, "macro over 5"].value == pytest.approx(np.mean(five), abs=1e-9)
    pooled, said = labels[known], chances[known]
    assert found["AUC", "micro"].value == pytest.approx(roc_auc_score(pooled, said), abs=1e-9)
    assert found["F1", "micro"].value == pytest.approx(f1_score(pooled, said >= 0.5), abs=1e-9)
    assert found["AUC", "micro"].convention is policy.convention
    assert policy.note in found["AUC", "micro"].note


def test_the_two_conventions_name_themselves() -> None:
    assert UncertainPolicy.ZEROS.convention is Convention.POSITIVE_ONLY
    assert UncertainPolicy.ONES.convention is Convention.POSITIVE_AND_UNCERTAIN
    assert UncertainPolicy.IGNORE.convention is None


def test_columns_and_rows_in_another_order_give_the_same_scores(scores: dict[tuple[str, str], Score]) -> None:
    truth, given = made()
    shuffled = given.select(CONDITIONS[::-1]).rows(given.ids[::-1])
    assert scored(truth, shuffled) == scores
    # With the columns of the truth in another order too, sums are added up in another order.
    for key, score in scored(truth.select(CONDITIONS[5:] + CONDITIONS[:5]), given).items():
        assert score.value == pytest.approx(scores[key].value, abs=1e-12)


def test_intervals_are_those_of_a_plain_loop_over_patients(scores: dict[tuple[str, str], Score]) -> None:
    given, labels = made()[1], plain(UncertainPolicy.IGNORE)
    rng = np.random.default_rng(0)
    model, lead = [], []
    for _ in range(60):
        patients = rng.integers(60, size=60)
        at = np.concatenate([[2 * patient, 2 * patient + 1] for patient in patients])
        known = ~np.isnan(labels[at])
        blind = np.tile(np.nansum(labels, axis=0) / (~np.isnan(labels)).sum(axis=0), (len(at), 1))
        model.append(roc_auc_score(labels[at][known], given.values[at][known]))
        lead.append(model[-1] - roc_auc_score(labels[at][known], blind[known]))
    score = scores["AUC", "micro"]
    assert score.interval is not None
    assert (score.interval.low, score.interval.high) == pytest.approx(tuple(np.quantile(model, [0.025, 0.975])))
    assert (score.interval.n, score.interval.groups, score.interval.resamples) == (120, 60, 60)
    difference = score.baselines[0].difference
    assert difference is not None
    assert (difference.low, difference.high) == pytest.approx(tuple(np.quantile(lead, [0.025, 0.975])))


def test_prevalence_stands_beside_the_scores_by_its_own_name(scores: dict[tuple[str, str], Score]) -> None:
    assert scores["AUC", "micro"].baselines[0].name == OWN_PREVALENCE
    assert scores["AUC", C.EDEMA.value].baselines[0].value == 0.5
    shares = {condition: index / 20 for index, condition in enumerate(CONDITIONS)}
    truth, given = made()
    baseline = scored(truth, given, prevalence=shares)["AUC", "micro"].baselines[0]
    labels = plain(UncertainPolicy.IGNORE)
    known = ~np.isnan(labels)
    blind = np.tile([shares[condition] for condition in CONDITIONS], (len(truth), 1))
    assert baseline.name == TRAINING_PREVALENCE
    assert baseline.value == pytest.approx(roc_auc_score(labels[known], blind[known]), abs=1e-12)


def test_f1_stands_beside_that_of_calling_everything(scores: dict[tuple[str, str], Score]) -> None:
    labels = plain(UncertainPolicy.IGNORE)[:, CONDITIONS.index(C.EDEMA)]
    share = np.nanmean(labels)
    baseline = scores["F1", C.EDEMA.value].baselines[0]
    assert baseline.name == ALL_CALLED
    assert baseline.value == pytest.approx(2 * share / (1 + share))


def test_conditions_that_lack_a_class_are_named_and_left_out_of_macro_only() -> None:
    conditions = (C.EDEMA, C.FRACTURE, C.PNEUMONIA, C.LUNG_LESION)
    truth, given = made(40, conditions)
    truth.values[:, 1] = 0.0
    truth.values[:, 2] = 1.0
    truth.values[:, 3] = NAN
    found = scored(truth, given)
    fracture, pneumonia, lesion = (found["AUC", condition.value] for condition in conditions[1:])
    assert (fracture.value, fracture.interval, fracture.n, fracture.positive) == (None, None, 40, 0)
    assert "none of 40 labels is positive" in fracture.note
    assert "none of 40 labels is negative" in pneumonia.note
    assert (lesion.n, "no case is labeled" in lesion.note) == (0, True)
    macro = found["AUC", "macro"]
    assert macro.value == found["AUC", C.EDEMA.value].value
    assert macro.note.startswith("mean over Edema; not defined on Fracture, Pneumonia, Lung Lesion")
    assert "none of 40 labels is negative" in found["specificity", C.PNEUMONIA.value].note
    assert found["sensitivity", C.PNEUMONIA.value].value is not None


def test_a_rate_without_a_call_says_so() -> None:
    truth, given = made(30, (C.EDEMA,))
    never = scored(truth, given, thresholds={C.EDEMA: 1.5})
    assert "nothing is called present" in never["PPV", C.EDEMA.value].note
    always = scored(truth, given, thresholds={C.EDEMA: 0.0})
    assert "nothing is called absent" in always["NPV", C.EDEMA.value].note
    truth.values[:] = 0.0
    assert "nothing is present" in scored(truth, given, thresholds={C.EDEMA: 1.5})["F1", C.EDEMA.value].note
    assert "called present from 0.5 on" in scored(truth, given)["F1", C.EDEMA.value].note


def test_a_condition_without_a_threshold_is_named_and_not_called() -> None:
    truth, given = made(30, (C.EDEMA, C.FRACTURE))
    found = scored(truth, given, thresholds={C.EDEMA: 0.5})
    fracture = found["F1", C.FRACTURE.value]
    assert fracture.value is None
    assert "it has no threshold" in fracture.note
    assert found["AUC", C.FRACTURE.value].value is not None
    assert found["F1", "macro"].value == found["F1", "micro"].value == found["F1", C.EDEMA.value].value
    assert "not defined on Fracture" in found["F1", "macro"].note
    assert "of 1 conditions pooled" in found["F1", "micro"].note


def test_nothing_at_all_is_labeled() -> None:
    truth, given = made(10, (C.EDEMA,))
    truth.values[:] = NAN
    assert {score.value for score in scored(truth, given).values()} == {None}


def test_without_thresholds_nothing_is_called() -> None:
    metrics = {metric for metric, _ in scored(*made(), thresholds=None, resamples=2)}
    assert metrics == {"AUC", "average precision", "expected calibration error", "Brier"}


def test_a_call_is_made_from_the_threshold_on() -> None:
    truth = ConditionTable(("a", "b"), (C.EDEMA,), np.array([[1.0], [0.0]]))
    given = ConditionTable(("a", "b"), (C.EDEMA,), np.array([[0.5], [0.49]]))
    found = scored(truth, given)
    assert (found["sensitivity", "Edema"].value, found["specificity", "Edema"].value) == (1.0, 1.0)


def test_what_cannot_be_scored_is_refused() -> None:
    truth, given = made(30)
    empty = truth.rows(())
    with pytest.raises(EvaluationError, match="no case to score"):
        scored(empty, given)
    with pytest.raises(EvaluationError, match=r"missing or outside \[0, 1\]; the first are of Enlarged"):
        scored(truth, replace(given, values=given.values * 2 - 1))
    with pytest.raises(EvaluationError, match="No prevalence in training is given of Edema"):
        scored(truth, given, prevalence={c: 0.5 for c in CONDITIONS if c is not C.EDEMA})
    with pytest.raises(ConditionTableError, match="no column 'Edema'"):
        scored(truth, given.select([c for c in CONDITIONS if c is not C.EDEMA]))
    with pytest.raises(ConditionTableError, match="1 of 30 cases"):
        scored(truth, given.rows(given.ids[1:]))
    truth.values[4, 2] = 2.0
    with pytest.raises(EvaluationError, match="2 is no label: Lung Opacity, case 5 of 30"):
        scored(truth, given)


def test_scores_travel_as_json(scores: dict[tuple[str, str], Score]) -> None:
    listed = tuple(scores.values())
    assert from_json(to_json(listed), tuple[Score, ...]) == listed
