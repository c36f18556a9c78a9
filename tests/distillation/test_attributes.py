"""Sides and severities as targets: known where they are said, absent with the finding, and otherwise not known."""

from __future__ import annotations

import numpy as np
import pytest

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.distillation.attributes import Attribute, attribute_labels, attributes_of
from kdistill_core.labeling import label_report
from kdistill_core.records import Finding, Severity, Side
from kdistill_core.teacher.knowledge import load_knowledge

_EFFUSION = tuple(
    Attribute(Condition.PLEURAL_EFFUSION, value) for value in (Side.LEFT, Side.RIGHT, Severity.SMALL, Severity.LARGE)
)


def known(finding: Finding, label: float) -> list[float]:
    labels = np.full((1, len(CONDITIONS)), np.nan)
    labels[0, CONDITIONS.index(finding.condition)] = label
    (row,) = attribute_labels([(finding,)], labels, _EFFUSION)
    return [float(value) for value in row]


def test_every_side_and_severity_that_an_assertion_names_is_asked_once() -> None:
    knowledge = load_knowledge()
    attributes = attributes_of(knowledge)
    names = [attribute.name for attribute in attributes]
    assert len(set(names)) == len(names)
    assert {"Pleural Effusion: left", "Pleural Effusion: large", "Cardiomegaly: moderate"} <= set(names)
    assert not any(attribute.value is Side.BILATERAL for attribute in attributes)
    for absent in ("Cardiomegaly: left", "Support Devices: large", "No Finding: left"):
        assert absent not in names


@pytest.mark.parametrize(
    ("side", "severity", "expected"),
    [
        (Side.LEFT, Severity.LARGE, [1, 0, 0, 1]),
        (Side.BILATERAL, None, [1, 1, np.nan, np.nan]),
        (None, Severity.SMALL, [np.nan, np.nan, 1, 0]),
        (None, None, [np.nan] * 4),
    ],
)
def test_what_is_present_has_the_side_and_severity_that_are_said(
    side: Side | None, severity: Severity | None, expected: list[float]
) -> None:
    said = Finding(Condition.PLEURAL_EFFUSION, State.POSITIVE, side=side, severity=severity)
    np.testing.assert_array_equal(known(said, 1), expected)


def test_what_is_absent_has_neither_and_of_the_rest_nothing_is_known() -> None:
    assert known(Finding(Condition.PLEURAL_EFFUSION, State.NEGATIVE), 0) == [0] * 4
    assert known(Finding(Condition.PLEURAL_EFFUSION, State.BLANK), 0) == [0] * 4  # hardly ever denied: counts as absent
    assert np.isnan(known(Finding(Condition.PLEURAL_EFFUSION, State.BLANK), np.nan)).all()
    assert np.isnan(known(Finding(Condition.PLEURAL_EFFUSION, State.UNCERTAIN, side=Side.LEFT), -1)).all()
    # It follows from another finding, and nobody said where.
    assert np.isnan(known(Finding(Condition.PLEURAL_EFFUSION, State.BLANK), 1)).all()


def test_a_report_is_read_for_them() -> None:
    findings = label_report("Small left pleural effusion. No pneumothorax.")
    codes = {State.POSITIVE: 1.0, State.NEGATIVE: 0.0}
    labels = np.array([[codes.get(finding.state, np.nan) for finding in findings]])
    attributes = attributes_of(load_knowledge())
    (row,) = attribute_labels([findings], labels, attributes)
    said = {attribute.name: value for attribute, value in zip(attributes, row, strict=True)}
    assert said["Pleural Effusion: left"] == said["Pleural Effusion: small"] == 1
    assert said["Pleural Effusion: right"] == said["Pneumothorax: left"] == said["Pneumothorax: large"] == 0
    assert np.isnan(said["Fracture: left"])
