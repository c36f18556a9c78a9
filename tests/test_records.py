"""The records hold still: nothing in them changes behind a reader's back."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from kdistill_core import records
from kdistill_core.conditions import CONDITIONS, Condition, State

RECORDS = [
    kind
    for kind in vars(records).values()
    if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind.__module__ == records.__name__
]


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_a_record_is_frozen(kind):
    assert kind.__dataclass_params__.frozen


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_no_two_records_share_a_container(kind):
    for field in dataclasses.fields(kind):
        if field.default_factory is not dataclasses.MISSING and isinstance(field.default_factory(), dict | list | set):
            assert field.default_factory() is not field.default_factory()


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_a_record_with_an_array_is_equal_to_itself_alone(kind):
    # Comparing arrays field by field would raise, so such records compare by identity.
    holds_array = any("NDArray" in str(field.type) for field in dataclasses.fields(kind))
    assert kind.__dataclass_params__.eq is not holds_array


def test_rows_come_first_in_an_array_and_are_the_height():
    radiograph = records.Radiograph(np.zeros((3, 5), np.float32), records.ImageSource("a.dcm"), "0" * 64)
    assert (radiograph.rows, radiograph.columns) == (3, 5)


def test_an_explanation_says_that_it_is_research():
    notice = next(f.default for f in dataclasses.fields(records.Explanation) if f.name == "notice")
    assert "not a medical device" in notice
    assert "research" in notice.lower()


def test_an_image_summary_names_no_patient():
    names = {field.name for field in dataclasses.fields(records.ImageSummary)}
    assert not names & {field.name for field in dataclasses.fields(records.Patient)} - {"id"}
    assert not {name for name in names if "patient" in name or "date" in name}


def test_findings_can_be_ordered_by_condition_because_conditions_are_unique():
    assert len(set(CONDITIONS)) == len(CONDITIONS)


@pytest.mark.parametrize(
    ("state", "probability", "implied"),
    [
        (State.POSITIVE, 0.2, True),
        (State.POSITIVE, 0.6, False),
        (State.POSITIVE, None, False),
        (State.NEGATIVE, 0.2, False),
    ],
)
def test_a_finding_is_implied_where_it_is_present_below_its_threshold(state, probability, implied):
    finding = records.Finding(Condition.LUNG_OPACITY, state, probability=probability, threshold=0.5)
    assert finding.implied is implied
