"""Thresholds that are chosen together, because No Finding hangs on all of them."""

from __future__ import annotations

import numpy as np

from kdistill_core.conditions import CONDITIONS, Condition
from kdistill_core.evaluation.generation import counts, micro_f1
from kdistill_core.evaluation.thresholds import HeldOut, choose_thresholds, decide

AT = {condition: index for index, condition in enumerate(CONDITIONS)}
K = len(CONDITIONS)


def test_decisions_are_closed_and_no_finding_follows() -> None:
    chances = np.full((3, K), 0.1)
    chances[0, AT[Condition.PNEUMONIA]] = 0.9
    chances[1, AT[Condition.SUPPORT_DEVICES]] = 0.9
    chances[2, AT[Condition.NO_FINDING]] = 0.0
    found = decide(chances, np.full(K, 0.5))
    assert {condition for condition in CONDITIONS if found[0, AT[condition]]} == {
        Condition.PNEUMONIA,
        Condition.CONSOLIDATION,
        Condition.LUNG_OPACITY,
    }
    assert {condition for condition in CONDITIONS if found[1, AT[condition]]} == {
        Condition.SUPPORT_DEVICES,
        Condition.NO_FINDING,
    }
    assert found[2, AT[Condition.NO_FINDING]]


def test_decisions_are_the_students_own() -> None:
    import torch

    from kdistill_core.student.tiny import tiny_student

    model = tiny_student()[0]
    model.config.thresholds = np.random.default_rng(1).uniform(0.2, 0.8, K).tolist()
    logits = torch.randn(200, K, generator=torch.Generator().manual_seed(0)) * 2
    with torch.inference_mode():
        states = model.states(logits).numpy()
        chances = model.probabilities(logits).numpy()
    assert np.array_equal(decide(chances, np.array(model.config.thresholds)), states >= 0.5)


def test_they_are_never_worse_than_one_half_for_all() -> None:
    rng = np.random.default_rng(0)
    truth = decide(rng.random((600, K)), np.full(K, 0.9))
    # A rare finding whose evidence is weak: 0.5 would never call it.
    chances = np.clip(truth * rng.uniform(0.2, 0.6, (600, K)) + rng.uniform(0, 0.2, (600, K)), 0, 1)
    held = HeldOut(chances, truth.astype(float))
    chosen = choose_thresholds([held])
    assert ((chosen > 0) & (chosen < 1)).all()

    def score(thresholds: np.ndarray) -> float:
        return micro_f1(counts(decide(chances, thresholds), held.labels))

    assert score(chosen) > score(np.full(K, 0.5)) + 0.1


def test_the_given_probabilities_are_left_alone() -> None:
    chances = np.full((2, K), 0.4)
    decide(chances, np.full(K, 0.5))
    assert (chances == 0.4).all()
