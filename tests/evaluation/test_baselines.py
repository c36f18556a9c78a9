"""What could be had without looking at the image, against a search through every possibility."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from kdistill_core.condition_table import ConditionTable
from kdistill_core.conditions import Condition
from kdistill_core.evaluation.baselines import best_constant_set, best_constant_text, derangement, saying
from kdistill_core.evaluation.label_counts import LabelCount

CHOSEN = (
    Condition.LUNG_OPACITY,
    Condition.CONSOLIDATION,
    Condition.PLEURAL_EFFUSION,
    Condition.SUPPORT_DEVICES,
    Condition.NO_FINDING,
)


def test_the_best_constants_are_the_best_of_all_sets():
    rng = np.random.default_rng(0)
    labels = (rng.random((200, 5)) < [0.45, 0.2, 0.3, 0.4, 0.5]).astype(float)
    counts = {c: LabelCount(200, 200, int(labels[:, k].sum())) for k, c in enumerate(CHOSEN)}
    truth = ConditionTable(tuple(map(str, range(200))), CHOSEN, labels)

    def f1(chosen: frozenset[Condition]) -> float:
        return f1_score(labels, saying(chosen, truth).values, average="micro")

    every = [frozenset(c for k, c in enumerate(CHOSEN) if code >> k & 1) for code in range(1, 32)]
    assert f1(best_constant_set(counts)) == pytest.approx(max(map(f1, every)))
    # By hand: a consolidation is an opacity; No Finding excludes all but the device, and follows where nothing is.
    findings = {Condition.LUNG_OPACITY, Condition.CONSOLIDATION, Condition.PLEURAL_EFFUSION}
    sayable = [
        said
        for said in every
        if (Condition.CONSOLIDATION not in said or Condition.LUNG_OPACITY in said)
        and ((Condition.NO_FINDING in said) != bool(said & findings))
    ]
    assert f1(best_constant_text(counts)) == pytest.approx(max(map(f1, sayable)))
    assert max(map(f1, sayable)) < max(map(f1, every))


def test_a_condition_that_training_never_labels_is_not_asserted():
    counts = {Condition.EDEMA: LabelCount(10, 10, 9), Condition.FRACTURE: LabelCount(10, 0, 0)}
    assert best_constant_set(counts) == {Condition.EDEMA}


@given(st.lists(st.sampled_from("abcdef"), min_size=2, max_size=40), st.integers(0, 5))
def test_every_case_gets_another_place_and_another_patient_where_it_can(patients, seed):
    order = derangement(patients, seed)
    assert sorted(order) == list(range(len(patients)))
    assert all(place != taken for place, taken in enumerate(order))
    if 2 * max(Counter(patients).values()) <= len(patients):
        assert all(patients[place] != patients[taken] for place, taken in enumerate(order))
