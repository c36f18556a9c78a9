"""NIH ChestX-ray14 as a data set: layouts, boxes on pictures of any size, the published split, what does not fit."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from kdistill_core.conditions import Condition
from kdistill_core.datasets.contract import DataSet, DatasetError, Ledger, ReadOptions
from kdistill_core.datasets.nih import SOURCES
from kdistill_core.datasets.nih_boxes import read_boxes
from kdistill_core.records import Box, Study
from kdistill_core.tables import TableError

(NIH,) = SOURCES
# As published: the last two names hold commas, and every line ends in one.
HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],"
)
HEADER_2020 = HEADER.replace("Gender", "Sex").rstrip(",")
BOX_HEADER = "Image Index,Finding Label,Bbox [x,y,w,h],,,"


def row(image: str, labels: str = "No Finding", patient: str = "1", view: str = "PA", end: str = ",") -> str:
    return f"{image}.png,{labels},0,{patient},57,M,{view},2682,2749,0.143,0.143{end}"


def write(root: Path, rows: list[str], images: dict[str, int], table: str = "Data_Entry_2017.csv") -> Path:
    """Write a table and, for each path of ``images``, a square picture of that many pixels."""
    root.mkdir(exist_ok=True)
    header = HEADER_2020 if "2020" in table else HEADER
    (root / table).write_text("\n".join([header, *rows]) + "\n")
    for path, side in images.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (side, side)).save(root / path)
    return root


def opened(root: Path) -> DataSet:
    assert NIH.recognizes(root)
    return NIH.open(root, ReadOptions())


def read(root: Path) -> tuple[list[Study], dict[str, int]]:
    ledger = Ledger()
    studies = list(opened(root).iterate(ledger))
    return studies, {remark.kind: remark.count for remark in ledger.remarks()}


def test_the_published_table_is_read_whose_header_holds_commas(tmp_path: Path) -> None:
    write(tmp_path, [row("00000001_000", "Effusion|Hernia")], {"images/00000001_000.png": 8})
    (study,), remarks = read(tmp_path)
    assert study.id == "nih-00000001_000"
    assert study.patient.sex == "M"
    assert {f.condition for f in study.findings if f.state == "positive"} == {Condition.PLEURAL_EFFUSION}
    # The table's width and height are those of the DICOM image before it was made a picture of 1024 x 1024.
    assert study.images[0].rows is None
    assert remarks == {}
    assert opened(tmp_path).unmapped == (("Hernia", 1),)


def test_the_release_of_2020_is_read_with_its_own_names_and_counts_before_the_older_one(tmp_path: Path) -> None:
    write(tmp_path, [row("00000001_000"), row("00000002_000")], {"images/00000001_000.png": 8})
    corrected = row("00000001_000", "Mass", end="").replace(",57,", ",058Y,")
    write(tmp_path, [corrected], {}, "Data_Entry_2017_v2020.csv")
    (study,), _ = read(tmp_path)
    assert (study.patient.age, study.patient.sex) == ("058Y", "M")
    assert Condition.LUNG_LESION in {f.condition for f in study.findings if f.state == "positive"}


def test_images_are_found_in_the_twelve_published_folders(tmp_path: Path) -> None:
    rows = [row("00000001_000"), row("00000002_000", patient="2")]
    places = {"images_001/images/00000001_000.png": 8, "images_012/images/00000002_000.png": 8}
    studies, remarks = read(write(tmp_path, rows, places))
    assert all(Path(study.images[0].source.path).is_file() for study in studies)
    assert remarks == {}
    assert [part.path for part in opened(tmp_path).parts if part.purpose == "images"] == ["images_001", "images_012"]


def test_a_missing_image_stays_and_is_noted_and_so_is_one_that_no_table_names(tmp_path: Path) -> None:
    images = {"images/00000002_000.png": 8, "images/00000009_000.png": 8}
    studies, remarks = read(write(tmp_path, [row("00000001_000"), row("00000002_000")], images))
    assert [study.id for study in studies] == ["nih-00000001_000", "nih-00000002_000"]
    assert remarks == {"missing image": 1, "unlisted image": 1}


def test_the_published_lists_hold_out_the_test_patients(tmp_path: Path) -> None:
    rows = [row(f"{n:08d}_000", patient=str(n)) for n in range(1, 301)]
    root = write(tmp_path, rows, {"images/00000001_000.png": 8})
    names = [f"{n:08d}_000.png" for n in range(1, 301)]
    (root / "train_val_list.txt").write_text("\n".join(names[:200]))
    (root / "test_list.txt").write_text("\n".join([*names[200:299], "00009999_000.png"]))
    studies, remarks = read(root)
    splits = Counter(study.split for study in studies)
    assert {study.split for study in studies[200:299]} == {"test"}
    assert studies[299].split == ""
    assert splits["test"] == 99
    assert 8 <= splits["validation"] <= 35  # a tenth of 200 patients
    assert remarks["no split"] == 1
    assert remarks["split of an unknown image"] == 1
    assert "published test list" in opened(root).splits


def test_an_image_of_both_lists_counts_as_held_out(tmp_path: Path) -> None:
    root = write(tmp_path, [row("00000001_000")], {"images/00000001_000.png": 8})
    for name in ("train_val_list.txt", "test_list.txt"):
        (root / name).write_text("00000001_000.png\n")
    (study,), remarks = read(root)
    assert study.split == "test"
    assert remarks == {"image in two splits": 1}


@pytest.mark.parametrize("side", [1024, 512, 256])
def test_boxes_are_placed_on_the_picture_that_lies_there(tmp_path: Path, side: int) -> None:
    root = write(tmp_path, [row("00000001_000", "Infiltration")], {"images/00000001_000.png": side})
    (root / "BBox_List_2017.csv").write_text(f"{BOX_HEADER}\n00000001_000.png,Infiltrate,512.0,0.0,256.0,1024.0,,,\n")
    (study,), remarks = read(root)
    (region,) = study.images[0].regions
    assert region.label == "Infiltrate"
    assert region.condition is Condition.LUNG_OPACITY
    assert region.box == Box(side / 2, 0, side / 4, side)
    assert (study.images[0].rows, study.images[0].columns) == (side, side)
    assert remarks == {}


def test_boxes_that_do_not_fit_are_noted(tmp_path: Path) -> None:
    rows = [row("00000001_000"), row("00000002_000"), row("00000003_000")]
    root = write(tmp_path, rows, {"images/00000001_000.png": 1024})
    (root / "images/00000002_000.png").write_bytes(b"\x89PNG cut off")
    boxes = [f"{n:08d}_000.png,Mass,1000,0,30,10,,," for n in (1, 2, 3, 4)]
    (root / "BBox_List_2017.csv").write_text("\n".join([BOX_HEADER, *boxes]) + "\n")
    studies, remarks = read(root)
    assert [len(study.images[0].regions) for study in studies] == [1, 0, 0]
    assert remarks == {
        "box outside the image": 1,
        "unreadable image": 1,
        "missing image": 1,
        "box of an unknown image": 1,
    }


@pytest.mark.parametrize("box", ["1,2,3,x", "1,2,0,4", "1,2,3,nan"])
def test_a_box_that_is_none_is_refused_with_its_line(tmp_path: Path, box: str) -> None:
    path = tmp_path / "boxes_1024.csv"
    path.write_text(f"Image Index,Finding Label,x,y,w,h\na.png,Mass,1,2,3,4\nb.png,Mass,{box}\n")
    with pytest.raises(TableError, match="line 3: the box is not"):
        read_boxes(path)


def test_a_doubled_row_and_a_foreign_label_are_refused_with_their_lines(tmp_path: Path) -> None:
    images = {"images/00000001_000.png": 8}
    root = write(tmp_path / "a", [row("00000001_000"), row("00000001_000")], images)
    with pytest.raises(TableError, match="line 3: the image 00000001_000 is there already, in line 2"):
        list(opened(root).studies())
    root = write(tmp_path / "b", [row("00000001_000", "Tuberculosis")], images)
    with pytest.raises(TableError, match=r"line 2: .* no label 'Tuberculosis'"):
        list(opened(root).studies())


def test_a_table_without_images_is_recognized_and_refused(tmp_path: Path) -> None:
    root = write(tmp_path, [row("00000001_000")], {})
    assert NIH.recognizes(root)
    with pytest.raises(DatasetError, match="images_001"):
        NIH.open(root, ReadOptions())
    (root / "images").mkdir()
    with pytest.raises(DatasetError, match="one set of labels"):
        NIH.open(root, ReadOptions(labels="negbio"))


@pytest.mark.real_data
def test_the_real_boxes_lie_in_the_pictures_at_hand(shared_data: Path) -> None:
    root = shared_data / "images" / "nih"
    studies, remarks = read(root)
    assert len(studies) == 1307 + 7427 - remarks["image in two tables"]
    assert set(remarks) == {"image in two tables"}
    with (root / "boxes_1024.csv").open(newline="") as stream:
        given = {r["Image Index"].removesuffix(".png"): r for r in csv.DictReader(stream)}
    boxed = [study.images[0] for study in studies if study.images[0].regions]
    assert len(boxed) == len(given) == 69
    assert {image.columns for image in boxed} == {512, 128}
    for image in boxed:
        with Image.open(image.source.path) as picture:
            width, height = picture.size
        for region in image.regions:
            assert region.condition is not None
            box = region.box
            assert box is not None
            assert 0 <= box.x < box.x + box.width <= width
            assert 0 <= box.y < box.y + box.height <= height
        # The last box of an image in the table, in shares of the picture.
        last = image.regions[-1].box
        assert last is not None
        assert last.x / width == pytest.approx(float(given[image.id]["x"]) / 1024)
        assert last.height / height == pytest.approx(float(given[image.id]["h"]) / 1024)
