"""Calls counted, against scikit-learn, torchmetrics and counts made by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix, f1_score, precision_score, recall_score
from torchmetrics.functional.classification import binary_f1_score, binary_specificity

from kdistill_core.condition_table import ConditionTable, ConditionTableError
from kdistill_core.conditions import Condition
from kdistill_core.evaluation.counting import Confusion, Rate, confusion, rate_statistic

NAN = float("nan")
C = Condition


def made(n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = (rng.random(n) < 0.3).astype(float)
    return rng.random(n) < 0.2 + 0.5 * labels, labels


def test_counts_by_hand_whatever_the_order_of_columns_and_cases() -> None:
    truth = ConditionTable(("a", "b", "c"), (C.EDEMA, C.FRACTURE), np.array([[1.0, 0.0], [0.0, 1.0], [1.0, NAN]]))
    calls = ConditionTable(("c", "b", "a"), (C.FRACTURE, C.EDEMA), np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 1.0]]))
    assert confusion(truth, calls) == (Confusion(C.EDEMA, 1, 1, 1, 0), Confusion(C.FRACTURE, 1, 1, 0, 0))


def test_a_case_without_a_call_is_an_error() -> None:
    truth = ConditionTable(("a", "b"), (C.EDEMA,), np.array([[1.0], [0.0]]))
    with pytest.raises(ConditionTableError, match="not in the table"):
        confusion(truth, truth.rows(("a",)))


def test_rates_agree_with_scikit_learn_and_torchmetrics(torch_in_float64: None) -> None:
    calls, labels = made()
    expected = {
        Rate.SENSITIVITY: recall_score(labels, calls),
        Rate.SPECIFICITY: recall_score(labels, calls, pos_label=0),
        Rate.PPV: precision_score(labels, calls),
        Rate.NPV: precision_score(labels, calls, pos_label=0),
        Rate.F1: f1_score(labels, calls),
    }
    for rate, value in expected.items():
        assert rate_statistic(rate, calls, labels).value == pytest.approx(value, abs=1e-12)
    theirs = torch.from_numpy(calls), torch.from_numpy(labels.astype(int))
    assert expected[Rate.F1] == pytest.approx(float(binary_f1_score(*theirs)), abs=1e-12)
    # Divided in float32 there, whatever the default.
    assert expected[Rate.SPECIFICITY] == pytest.approx(float(binary_specificity(*theirs)), abs=1e-7)


def test_counts_agree_with_scikit_learn() -> None:
    calls, labels = made()
    ids = tuple(str(case) for case in range(len(labels)))
    truth = ConditionTable(ids, (C.EDEMA,), labels[:, None])
    counted = confusion(truth, ConditionTable(ids, (C.EDEMA,), calls[:, None].astype(float)))[0]
    theirs = confusion_matrix(labels, calls)
    assert [[counted.true_negative, counted.false_positive], [counted.false_negative, counted.true_positive]] == (
        theirs.tolist()
    )


def test_weights_multiply_cases() -> None:
    calls, labels = made(50)
    weights = np.random.default_rng(1).integers(0, 3, 50)
    repeated = np.repeat(np.arange(50), weights)
    for rate in Rate:
        weighted = rate_statistic(rate, calls, labels).weighted(weights[:, None].astype(float))[0]
        assert weighted == pytest.approx(rate_statistic(rate, calls[repeated], labels[repeated]).value, abs=1e-12)


def test_pooled_f1_is_the_micro_average() -> None:
    rng = np.random.default_rng(2)
    labels, calls = rng.integers(0, 2, (60, 4)).astype(float), rng.integers(0, 2, (60, 4)).astype(bool)
    assert rate_statistic(Rate.F1, calls, labels).value == pytest.approx(f1_score(labels, calls, average="micro"))


def test_nothing_to_divide_by_is_not_zero() -> None:
    nobody, labels = np.array([False, False]), np.array([0.0, NAN])
    for rate in (Rate.SENSITIVITY, Rate.PPV, Rate.F1):
        assert np.isnan(rate_statistic(rate, nobody, labels).value)
    assert rate_statistic(Rate.SPECIFICITY, nobody, labels).value == 1.0
