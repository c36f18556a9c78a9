"""What a row of the findings says in words."""

from __future__ import annotations

import pytest

from kdistill_core.conditions import Condition, State
from kdistill_core.records import Finding, Side
from kdistill_viewer.panels.finding_row import percent, spoken, state_word


@pytest.mark.parametrize(
    ("probability", "text"),
    [
        (0.0, "< 1 %"),
        (0.0099, "< 1 %"),
        (0.01, "1 %"),
        (0.5, "50 %"),
        (0.99, "99 %"),
        (0.9901, "> 99 %"),
        (1.0, "> 99 %"),
    ],
)
def test_no_finding_is_certain_or_impossible_by_rounding(probability, text):
    assert percent(probability) == text


def test_a_finding_is_spoken_as_one_sentence():
    finding = Finding(Condition.PLEURAL_EFFUSION, State.POSITIVE, probability=0.91, threshold=0.3, side=Side.LEFT)
    assert spoken(finding) == "Pleural Effusion: present, probability 91 %, called present from 30 %, left"


def test_a_finding_under_its_threshold_says_that_another_implies_it():
    finding = Finding(Condition.LUNG_OPACITY, State.POSITIVE, probability=0.2, threshold=0.5)
    assert state_word(finding) == "implied"
    assert "a more specific finding implies it" in spoken(finding)
