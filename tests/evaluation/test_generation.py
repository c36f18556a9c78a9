"""F1 of texts: the rules read them, scikit-learn counts them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from kdistill_core.conditions import CONDITIONS, Condition
from kdistill_core.evaluation.generation import asserted, counts, f1_by_condition, macro_f1, micro_f1

NAN = float("nan")
AT = {condition: index for index, condition in enumerate(CONDITIONS)}


def test_a_text_asserts_what_it_says_and_what_that_implies() -> None:
    said = asserted(["There is consolidation in the left lung. There is no pleural effusion."])[0]
    assert {condition for condition in CONDITIONS if said[AT[condition]]} == {
        Condition.CONSOLIDATION,
        Condition.LUNG_OPACITY,
    }


def test_a_text_without_an_abnormality_asserts_no_finding() -> None:
    said = asserted(["No abnormality is seen."])[0]
    assert {condition for condition in CONDITIONS if said[AT[condition]]} == {Condition.NO_FINDING}


def test_uncertain_is_not_said_under_the_positive_only_convention() -> None:
    assert not asserted(["Possible pneumothorax."])[0, AT[Condition.PNEUMOTHORAX]]


def test_f1_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    labels, said = rng.integers(0, 2, (60, 4)).astype(float), rng.integers(0, 2, (60, 4)).astype(bool)
    tally = counts(said, labels)
    assert micro_f1(tally) == pytest.approx(f1_score(labels, said, average="micro"))
    assert macro_f1(tally) == pytest.approx(f1_score(labels, said, average="macro"))
    assert f1_by_condition(tally) == pytest.approx(f1_score(labels, said, average=None))


def test_blank_labels_count_neither_for_nor_against() -> None:
    tally = counts(np.array([[True, True]]), np.array([[1.0, NAN]]))
    assert micro_f1(tally) == 1.0
    assert macro_f1(tally) == 1.0
