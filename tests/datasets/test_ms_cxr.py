"""A miniature MS-CXR beside a miniature MIMIC-CXR: boxes with phrases on images that may be there or not."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from pathlib import Path

import pytest

from kdistill_core.conditions import Condition, State
from kdistill_core.datasets.contract import DataSet, DatasetError, Ledger, ReadOptions
from kdistill_core.datasets.ms_cxr import SOURCES
from kdistill_core.records import Box, Study
from kdistill_core.tables import TableError

(MS_CXR,) = SOURCES

HEADER = (
    "dicom_id", "category_name", "label_text", "path", "x", "y", "w", "h", "image_width", "image_height", "split",
)  # fmt: skip
FIRST = "files/p10/p10000032/s50414267/a1.jpg"
SECOND = "files/p10/p10000032/s50414267/b2.jpg"
THIRD = "files/p11/p11000183/s51967845/c3.jpg"
ROWS = (
    ("c3", "Pneumonia", "right basilar opacity", THIRD, 345, 1300, 600, 700, 2544, 3056, "test"),
    ("a1", "Pleural Effusion", "small bilateral effusions", FIRST, 100, 2000, 500, 400, 3056, 2544, "train"),
    ("a1", "Pleural Effusion", "small bilateral effusions", FIRST, 2200, 2000, 500, 400, 3056, 2544, "train"),
    ("a1", "Lung Opacity", "left basilar opacity", FIRST, 2100, 1500, 600, 500, 3056, 2544, "train"),
    ("b2", "Pleural Effusion", "small bilateral effusions", SECOND, 10, 20, 30, 40, 2500, 3000, "train"),
)


def write_table(path: Path, rows: Sequence[Sequence[object]] = ROWS, header: Sequence[str] = HEADER) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    open_text = gzip.open if path.suffix == ".gz" else open
    with open_text(path, "wt", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    return path.parent


def write_images(root: Path, suffix: str = ".jpg") -> None:
    for name in (FIRST, SECOND, THIRD):
        path = (root / name).with_suffix(suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def read(data: DataSet) -> tuple[dict[str, Study], dict[str, tuple[int, tuple[str, ...]]]]:
    """Return the studies by id and what was noted, but for views, which MS-CXR never tells."""
    ledger = Ledger()
    studies = {study.id: study for study in data.iterate(ledger)}
    remarks = {remark.kind: (remark.count, remark.examples) for remark in ledger.remarks()}
    del remarks["empty view position"]
    return studies, remarks


@pytest.fixture
def root(tmp_path) -> Path:
    return write_table(tmp_path / "mimic" / "ms-cxr" / "MS_CXR_Local_Alignment_v1.1.0.csv")


@pytest.mark.parametrize("name", ["MS_CXR_Local_Alignment_v1.0.0.csv", "MS_CXR_Local_Alignment_v1.1.0.csv.gz"])
@pytest.mark.parametrize("suffix", [".jpg", ".dcm"])
@pytest.mark.parametrize("place", ["", ".."])
def test_images_are_found_in_the_folder_and_around_it(tmp_path, name, suffix, place):
    root = write_table(tmp_path / "mimic" / "ms-cxr" / name)
    write_images(root / place, suffix)
    assert MS_CXR.recognizes(root)
    studies, remarks = read(MS_CXR.open(root, ReadOptions()))
    assert remarks == {}
    sources = [Path(image.source.path) for study in studies.values() for image in study.images]
    assert [path.suffix for path in sources] == [suffix] * 3
    assert all(path.is_file() for path in sources)


def test_each_box_is_a_region_with_its_phrase(root):
    studies, _ = read(MS_CXR.open(root, ReadOptions()))
    assert list(studies) == ["51967845", "50414267"]
    study = studies["50414267"]
    assert study.patient.id == "10000032"
    assert [(image.id, image.rows, image.columns, len(image.regions)) for image in study.images] == [
        ("a1", 2544, 3056, 3),
        ("b2", 3000, 2500, 1),
    ]
    region = study.images[0].regions[1]
    assert region.condition is Condition.PLEURAL_EFFUSION
    assert (region.label, region.text) == ("Pleural Effusion", "small bilateral effusions")
    assert region.box == Box(2200, 2000, 500, 400)


def test_a_box_makes_its_condition_positive_and_leaves_the_rest_blank(root):
    data = MS_CXR.open(root, ReadOptions())
    states = {finding.condition: finding.state for finding in read(data)[0]["50414267"].findings}
    assert {condition for condition, state in states.items() if state is State.POSITIVE} == {
        Condition.PLEURAL_EFFUSION, Condition.LUNG_OPACITY,
    }  # fmt: skip
    assert set(states.values()) == {State.POSITIVE, State.BLANK}
    assert len(data.conditions) == 8


def test_splits_are_those_of_the_table(root):
    data = MS_CXR.open(root, ReadOptions())
    assert {study.id: study.split for study in data.studies()} == {"51967845": "test", "50414267": "train"}
    assert "not those of MIMIC-CXR" in data.splits


def test_the_first_release_has_no_splits(tmp_path):
    root = write_table(tmp_path / "MS_CXR_Local_Alignment_v1.0.0.csv", [row[:-1] for row in ROWS], HEADER[:-1])
    data = MS_CXR.open(root, ReadOptions())
    assert {study.split for study in data.studies()} == {""}
    assert data.splits.startswith("none")


def test_each_trap_is_noted_by_name(root):
    write_images(root.parent)
    (root.parent / THIRD).unlink()
    rows = [
        *ROWS,
        ("d4", "Edema", "edema", "elsewhere/d4.jpg", 0, 0, 10, 10, 20, 20, ""),
        ("b2", "Edema", "edema", SECOND, 2400, 0, 101, 10, 2500, 3000, "val"),
        ("e5", "Edema", "edema", "files/p11/p11000183/s59999999/e5.jpg", -1, 0, 10, 10, 20, 20, "train"),
    ]
    write_table(root / "MS_CXR_Local_Alignment_v1.1.0.csv", rows)
    studies, remarks = read(MS_CXR.open(root, ReadOptions()))
    assert remarks == {
        "box outside the image": (2, ("b2", "e5")),
        "missing image": (3, ("c3", "d4", "e5")),
        "study in two splits": (1, ("50414267",)),
        "patient in two splits": (2, ("11000183", "10000032")),
    }
    assert studies["50414267"].split == "validation"
    assert studies["d4"].patient.id == ""  # its path tells no study: an image by itself
    assert len(studies["51967845"].images) == 1


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("category_name", "Fracture", "line 2: MS-CXR has no category 'Fracture'"),
        ("split", "dev", "line 2: there is no split 'dev'"),
        ("x", "", "line 2: '' is no number of pixels for x"),
        ("y", "nan", "line 2: 'nan' is no number of pixels for y"),
        ("w", "0", "line 2: '0' is no number of pixels for w"),
        ("image_height", "-5", "line 2: '-5' is no number of pixels for image_height"),
    ],
)
def test_bad_rows_are_refused_with_file_and_line(root, column, value, message):
    row = [value if name == column else cell for name, cell in zip(HEADER, ROWS[0], strict=True)]
    write_table(root / "MS_CXR_Local_Alignment_v1.1.0.csv", [row])
    with pytest.raises((DatasetError, TableError)) as error:
        list(MS_CXR.open(root, ReadOptions()).studies())
    assert f"MS_CXR_Local_Alignment_v1.1.0.csv, {message}" in error.value.problem
    assert error.value.advice


def test_two_releases_side_by_side_are_refused(root):
    write_table(root / "MS_CXR_Local_Alignment_v1.0.0.csv")
    with pytest.raises(DatasetError, match=r"v1\.0\.0\.csv and MS_CXR_Local_Alignment_v1\.1\.0\.csv"):
        MS_CXR.open(root, ReadOptions())


def test_another_folder_is_not_ms_cxr(tmp_path):
    (tmp_path / "MS_CXR_Local_Alignment_with_Reports.csv").touch()
    assert not MS_CXR.recognizes(tmp_path)
    with pytest.raises(DatasetError, match="holds no MS_CXR"):
        MS_CXR.open(tmp_path, ReadOptions())
