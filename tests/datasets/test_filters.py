"""What filters leave out, counted by hand on five studies; see the table in small_set.py."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from kdistill_core.datasets import DataSet, DatasetError
from kdistill_core.datasets.filters import FILTERS, Filtering, filters_named, is_frontal
from kdistill_core.records import ImageSource, StudyImage
from tests.datasets.small_set import small_set


@pytest.fixture(name="data_set")
def make_data_set(tmp_path: Path) -> DataSet:
    return small_set(tmp_path / "images")


def left(data_set: DataSet, *names: str) -> dict[str, str]:
    """The studies left, each with the ids of its images."""
    kept = Filtering(filters_named(names)).apply(data_set.studies())
    return {study.id: "".join(image.id for image in study.images) for study in kept}


ALL = {"s1": "ab", "s2": "c", "s3": "d", "s4": "e", "s5": ""}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("missing-image", {"s1": "ab", "s3": "d", "s4": "e", "s5": ""}),
        ("not-frontal", {"s1": "a", "s2": "c", "s3": "d", "s5": ""}),
        ("unknown-view", {"s1": "ab", "s2": "c", "s4": "e", "s5": ""}),
        ("unreadable-image", {"s1": "ab", "s3": "d", "s4": "e", "s5": ""}),
        ("doubled-image", ALL),
        ("no-image", {"s1": "ab", "s2": "c", "s3": "d", "s4": "e"}),
        ("no-report", {"s1": "ab", "s3": "d", "s5": ""}),
        ("no-findings", {"s1": "ab", "s5": ""}),
        ("no-impression", {"s1": "ab", "s3": "d"}),
        ("no-label", {"s1": "ab", "s2": "c", "s3": "d"}),
    ],
)
def test_a_filter_leaves_out_what_its_sentence_says(data_set: DataSet, name: str, expected: dict[str, str]) -> None:
    assert left(data_set, name) == expected


def test_every_filter_is_listed_by_its_own_name_and_tested_here() -> None:
    made = {name: make() for name, make in FILTERS.items()}
    assert all(one.name == name and one.sentence.endswith(".") for name, one in made.items())
    (parametrized,) = test_a_filter_leaves_out_what_its_sentence_says.pytestmark
    assert {case[0] for case in parametrized.args[1]} == set(FILTERS)


def test_a_damaged_file_is_unreadable_and_a_copy_is_doubled(data_set: DataSet) -> None:
    (data_set.root / "d.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    shutil.copy(data_set.root / "a.png", data_set.root / "e.png")
    assert left(data_set, "unreadable-image") == {"s1": "ab", "s4": "e", "s5": ""}
    assert left(data_set, "doubled-image") == {"s1": "ab", "s2": "c", "s3": "d", "s5": ""}
    # Another frame of the same file is another image.
    study = next(data_set.studies())
    frames = tuple(StudyImage(str(frame), ImageSource(study.images[0].source.path, frame)) for frame in (0, 1, 0))
    kept = Filtering(filters_named(["doubled-image"]))(replace(study, images=frames))
    assert kept is not None
    assert [image.id for image in kept.images] == ["0", "1"]


def test_counts_follow_the_order_of_the_filters(data_set: DataSet) -> None:
    filtering = Filtering(filters_named(["missing-image", "not-frontal", "no-findings"]))
    assert [study.id for study in filtering.apply(data_set.studies())] == ["s1", "s5"]
    counts = {(count.filter, count.split): count for count in filtering.counts(["train", "validation", "test", ""])}
    assert len(counts) == 12
    of = counts["missing-image", "train"]
    assert (of.studies_in, of.studies_left_out, of.studies_left) == (2, 1, 1)
    assert (of.images_in, of.images_left_out, of.images_left) == (3, 1, 2)
    of = counts["not-frontal", "train"]  # the study loses its lateral view
    assert (of.studies_in, of.studies_left_out, of.studies_left) == (1, 0, 1)
    assert (of.images_in, of.images_left_out, of.images_left) == (2, 1, 1)
    of = counts["not-frontal", "test"]  # the study has a lateral view only
    assert (of.studies_in, of.studies_left_out, of.images_left_out) == (1, 1, 1)
    of = counts["no-findings", "test"]  # nothing reaches it
    assert (of.studies_in, of.studies_left_out, of.studies_left) == (0, 0, 0)
    of = counts["no-findings", "validation"]
    assert (of.studies_left_out, of.images_left_out) == (1, 1)
    of = counts["no-findings", ""]
    assert (of.studies_left, of.images_left) == (1, 0)


@pytest.mark.parametrize("view", ["PA", "AP", "ap", "FRONTAL", "Frontal", "AP_horizontal", "AP SUPINE"])
def test_frontal_views(view: str) -> None:
    assert is_frontal(view)


@pytest.mark.parametrize(
    "view", ["LATERAL", "LL", "L", "AP AXIAL", "AP LLD", "PA RLD", "LAO", "SWIMMERS", "COSTAL", ""]
)
def test_other_views(view: str) -> None:
    assert not is_frontal(view)


def test_a_filter_nobody_knows_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(DatasetError, match=r"no filter 'frontal'.*not-frontal"):
        filters_named(["frontal"])
    with pytest.raises(DatasetError, match="named twice"):
        filters_named(["no-label", "no-label"])
