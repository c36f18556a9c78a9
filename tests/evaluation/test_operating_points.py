"""Thresholds by rule, against a search over every threshold there is and cases worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from kdistill_core.condition_table import ConditionTable
from kdistill_core.conditions import Condition
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.label_policy import UncertainPolicy
from kdistill_core.evaluation.operating_points import (
    BEST_F1,
    YOUDEN,
    Aim,
    OperatingPoint,
    OperatingPoints,
    Rule,
    choose_operating_points,
    threshold_rule,
)
from kdistill_core.serialization import from_json, to_json

C = Condition
NAN = float("nan")


def tables(labels: list[float], chances: list[float]) -> tuple[ConditionTable, ConditionTable]:
    ids = tuple(str(case) for case in range(len(labels)))
    return (
        ConditionTable(ids, (C.EDEMA,), np.array(labels)[:, None]),
        ConditionTable(ids, (C.EDEMA,), np.array(chances)[:, None]),
    )


def chosen(labels: list[float], chances: list[float], rule: Rule) -> OperatingPoint:
    return choose_operating_points(*tables(labels, chances), rule, "made up").points[0]


LABELS, CHANCES = [1.0, 1.0, 0.0, 1.0, 0.0, 0.0], [0.9, 0.8, 0.7, 0.6, 0.4, 0.2]


@pytest.mark.parametrize(
    ("rule", "threshold", "sensitivity", "specificity"),
    [
        # 2/3 + 1 at 0.8 and 1 + 2/3 at 0.6 are equal: the higher is taken.
        (YOUDEN, 0.75, 2 / 3, 1.0),
        (BEST_F1, 0.5, 1.0, 2 / 3),
        (Rule(Aim.SENSITIVITY, 0.6), 0.75, 2 / 3, 1.0),
        (Rule(Aim.SENSITIVITY, 0.7), 0.5, 1.0, 2 / 3),
        (Rule(Aim.SPECIFICITY, 1.0), 0.75, 2 / 3, 1.0),
        (Rule(Aim.SPECIFICITY, 0.5), 0.5, 1.0, 2 / 3),
    ],
)
def test_six_cases_by_hand(rule: Rule, threshold: float, sensitivity: float, specificity: float) -> None:
    point = chosen(LABELS, CHANCES, rule)
    assert point.threshold == pytest.approx(threshold)
    assert (point.sensitivity, point.specificity) == pytest.approx((sensitivity, specificity))
    assert (point.n, point.positive) == (6, 3)


@pytest.mark.parametrize("seed", range(4))
def test_no_threshold_does_better(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = (rng.random(80) < 0.3).astype(float)
    chances = np.round(np.clip(0.3 * labels + 0.7 * rng.random(80), 0, 1), 2)
    known = labels.tolist(), chances.tolist()
    cuts = np.linspace(0, 1.005, 202)
    pairs = [(np.mean(chances[labels == 1] >= cut), np.mean(chances[labels == 0] < cut)) for cut in cuts]
    youden, best_f1 = chosen(*known, YOUDEN), chosen(*known, BEST_F1)
    assert total(youden) == pytest.approx(max(map(sum, pairs)))
    everywhere = [2 * labels[chances >= cut].sum() / (labels.sum() + (chances >= cut).sum()) for cut in cuts]
    assert f1_score(labels, chances >= best_f1.threshold) == pytest.approx(max(everywhere))
    for target in (0.5, 0.9, 1.0):
        sensitive, specific = (
            chosen(*known, Rule(Aim.SENSITIVITY, target)),
            chosen(*known, Rule(Aim.SPECIFICITY, target)),
        )
        assert sensitive.specificity == pytest.approx(max(b for a, b in pairs if a >= target - 1e-12))
        assert specific.sensitivity == pytest.approx(max(a for a, b in pairs if b >= target - 1e-12))
    for point in (youden, best_f1):
        assert point.sensitivity == pytest.approx(np.mean(chances[labels == 1] >= point.threshold))
        assert point.specificity == pytest.approx(np.mean(chances[labels == 0] < point.threshold))


def total(point: OperatingPoint) -> float:
    assert point.sensitivity is not None
    assert point.specificity is not None
    return point.sensitivity + point.specificity


def test_where_nothing_may_be_called_the_threshold_lies_above_all() -> None:
    point = chosen([0.0, 1.0], [0.8, 0.4], Rule(Aim.SPECIFICITY, 1.0))
    assert (point.threshold, point.sensitivity, point.specificity) == (pytest.approx(0.9), 0.0, 1.0)
    certain = chosen([0.0, 1.0], [1.0, 0.4], Rule(Aim.SPECIFICITY, 1.0))
    assert certain.threshold is not None
    assert certain.threshold > 1.0


def test_neighboring_probabilities_are_parted() -> None:
    low = 0.3
    point = chosen([0.0, 1.0], [low, float(np.nextafter(low, 1))], YOUDEN)
    assert point.threshold is not None
    assert low < point.threshold <= np.nextafter(low, 1)


def test_a_condition_that_lacks_a_class_has_no_threshold() -> None:
    truth = ConditionTable(("a", "b"), (C.EDEMA, C.FRACTURE), np.array([[1.0, 0.0], [0.0, NAN]]))
    given = ConditionTable(("b", "a"), (C.FRACTURE, C.EDEMA), np.array([[0.2, 0.3], [0.1, 0.7]]))
    points = choose_operating_points(truth, given, YOUDEN, "made up")
    assert points.thresholds == {C.EDEMA: pytest.approx(0.5)}
    assert points.points[1] == OperatingPoint(C.FRACTURE, YOUDEN, None, 1, 0, None, None)


def test_uncertain_labels_follow_the_policy() -> None:
    truth, given = tables([1.0, -1.0, 0.0], [0.9, 0.6, 0.1])
    thresholds = [
        choose_operating_points(truth, given, YOUDEN, "made up", policy).thresholds[C.EDEMA]
        for policy in (UncertainPolicy.ZEROS, UncertainPolicy.ONES)
    ]
    assert thresholds == pytest.approx([0.75, 0.35])


def test_points_are_stored_and_read(tmp_path: Path) -> None:
    points = choose_operating_points(*tables(LABELS, CHANCES), Rule(Aim.SENSITIVITY, 0.9), "made up, validation")
    (tmp_path / "points.json").write_bytes(to_json(points))
    assert from_json((tmp_path / "points.json").read_bytes(), OperatingPoints) == points


def test_rules_are_read_from_their_names() -> None:
    assert threshold_rule("Youden") == YOUDEN
    assert threshold_rule("f1") == BEST_F1
    assert threshold_rule("sensitivity=0.9") == Rule(Aim.SENSITIVITY, 0.9)
    assert threshold_rule("specificity=0.95") == Rule(Aim.SPECIFICITY, 0.95)
    for wrong in ("", "recall=0.9", "sensitivity", "sensitivity=high", "sensitivity=1.5", "youden=1"):
        with pytest.raises(EvaluationError):
            threshold_rule(wrong)
    with pytest.raises(EvaluationError, match="no target"):
        Rule(Aim.BEST_F1, 0.5)
