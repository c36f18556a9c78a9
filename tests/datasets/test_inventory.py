"""What a data set holds, counted by hand on five studies; see the table in small_set.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kdistill_core.conditions import Condition
from kdistill_core.datasets import DatasetError
from kdistill_core.datasets.filters import filters_named
from kdistill_core.datasets.inventory import ConditionCount, Inventory, SplitCount, ViewCount, take_inventory
from kdistill_core.serialization import from_json, to_json
from tests.datasets.small_set import small_set


@pytest.fixture(name="inventory")
def make_inventory(tmp_path: Path) -> Inventory:
    return take_inventory(small_set(tmp_path / "images"), filters_named(["missing-image", "not-frontal", "no-label"]))


def test_splits_are_counted_in_their_usual_order(inventory: Inventory) -> None:
    assert inventory.as_read.splits == (
        SplitCount("train", 2, 2, 3, reports=1, findings_sections=1, impressions=1, regions=0),
        SplitCount("validation", 1, 1, 1, reports=1, findings_sections=0, impressions=1, regions=1),
        SplitCount("test", 1, 1, 1, reports=0, findings_sections=0, impressions=0, regions=0),
        SplitCount("", 1, 1, 0, reports=1, findings_sections=1, impressions=0, regions=0),
    )


def test_a_patient_in_two_splits_is_one_patient_and_a_study_without_patient_one_of_its_own(
    inventory: Inventory,
) -> None:
    assert sum(split.patients for split in inventory.as_read.splits) == 5
    assert inventory.as_read.patients == 4


def test_views_are_counted_as_they_are_named_the_most_frequent_first(inventory: Inventory) -> None:
    counted = [count for count in inventory.as_read.views if count.images]
    assert counted == [
        ViewCount("train", "LATERAL", 1),
        ViewCount("test", "LATERAL", 1),
        ViewCount("validation", "", 1),
        ViewCount("train", "AP", 1),
        ViewCount("train", "PA", 1),
    ]


def test_conditions_are_counted_in_four_states(inventory: Inventory) -> None:
    counted = {(count.split, count.condition): count for count in inventory.as_read.conditions}
    assert len(counted) == 4 * 2  # only what the data set labels
    assert counted["train", Condition.CARDIOMEGALY] == ConditionCount("train", Condition.CARDIOMEGALY, 1, 1, 0, 0)
    assert counted["train", Condition.EDEMA] == ConditionCount("train", Condition.EDEMA, 0, 1, 0, 1)
    assert counted["validation", Condition.EDEMA] == ConditionCount("validation", Condition.EDEMA, 0, 0, 1, 0)
    assert counted["", Condition.EDEMA].blank == 1  # without labels is blank


def test_what_filters_leave_is_counted_as_well(inventory: Inventory) -> None:
    assert [(split.split, split.studies, split.images) for split in inventory.left.splits] == [
        ("train", 1, 1), ("validation", 1, 1), ("test", 0, 0), ("", 0, 0),
    ]  # fmt: skip
    assert len(inventory.filters) == 3 * 4
    for count in inventory.filters:
        assert count.studies_in - count.studies_left_out == count.studies_left
        assert count.images_in - count.images_left_out == count.images_left
    last = [count for count in inventory.filters if count.filter == "no-label"]
    assert [count.images_left for count in last] == [split.images for split in inventory.left.splits]


def test_parts_remarks_and_labels_without_counterpart_are_kept(inventory: Inventory) -> None:
    assert [(part.path, bool(part.found), part.needed) for part in inventory.parts] == [
        ("table.csv", True, True), ("boxes.csv", False, False),
    ]  # fmt: skip
    (remark,) = inventory.remarks
    assert (remark.kind, remark.count, remark.examples) == ("missing image", 1, ("c",))
    assert [(label.label, label.count) for label in inventory.unmapped] == [("Hernia", 3)]


def test_an_inventory_becomes_json_and_back(inventory: Inventory) -> None:
    assert from_json(to_json(inventory), Inventory) == inventory


def test_progress_is_told(tmp_path: Path) -> None:
    seen: list[int] = []
    take_inventory(small_set(tmp_path / "images"), report=seen.append)
    assert seen == [1, 2, 3, 4, 5]


def test_a_data_set_without_a_study_is_refused(tmp_path: Path) -> None:
    empty = replace(small_set(tmp_path / "images"), iterate=lambda ledger: iter(()))
    with pytest.raises(DatasetError, match="holds no study"):
        take_inventory(empty)
