"""Image files are found by name, whatever folder or format they are in."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from kdistill_core.datasets.contract import Ledger
from kdistill_core.datasets.image_files import ImageFiles, image_name, is_image_file, picture_size


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("00000001_000.png", "00000001_000"),
        ("images/1_IM-0001-3001.dcm.png", "1_IM-0001-3001"),
        ("a\\b\\C.JPEG", "C"),
        ("1.2.840.113619", "1.2.840.113619"),
        ("0005e8e3.dicom", "0005e8e3"),
    ],
)
def test_a_name_loses_its_folder_and_its_endings(given: str, name: str) -> None:
    assert image_name(given) == name


def test_files_that_are_no_images_are_passed_over(tmp_path: Path) -> None:
    for name in ("a.png", "b.DCM", "c.txt", "d.csv", "e"):
        (tmp_path / name).touch()
    files = ImageFiles((tmp_path, tmp_path / "nowhere"))
    assert len(files) == 2
    assert is_image_file("b.DCM")
    assert files.find("c.txt") is None


def test_the_first_of_two_files_of_one_name_counts(tmp_path: Path) -> None:
    for name in ("b/x.png", "a/x.jpg", "a/x.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert ImageFiles((tmp_path / "b", tmp_path)).find("x.dcm") == tmp_path / "b/x.png"
    assert ImageFiles((tmp_path,)).find("x") == tmp_path / "a/x.jpg"


def test_links_are_followed_and_circles_end(tmp_path: Path) -> None:
    disk, root = tmp_path / "disk", tmp_path / "set"
    (disk / "deep").mkdir(parents=True)
    root.mkdir()
    (disk / "deep" / "x.png").touch()
    (root / "images").symlink_to(disk, target_is_directory=True)
    (disk / "deep" / "back").symlink_to(root, target_is_directory=True)
    files = ImageFiles((root,))
    assert len(files) == 1
    assert files.find("x") == root / "images/deep/x.png"


def test_what_is_missing_and_what_is_left_over_is_noted(tmp_path: Path) -> None:
    for name in ("x.png", "y.png", "z.png"):
        (tmp_path / name).touch()
    files, ledger = ImageFiles((tmp_path,)), Ledger()
    expected = tmp_path / "w.png"
    assert files.source("w.png", expected, ledger).path == str(expected)
    assert files.source("v", expected, ledger, "also", "y").path == str(tmp_path / "y.png")
    files.find("x")
    files.note_unlisted(ledger)
    assert [(remark.kind, remark.examples) for remark in ledger.remarks()] == [
        ("missing image", ("w",)),
        ("unlisted image", ("z",)),
    ]


def test_the_size_of_a_picture_is_columns_and_rows_and_none_of_what_is_no_picture(tmp_path: Path) -> None:
    Image.new("L", (7, 3)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    assert picture_size(tmp_path / "a.png") == (7, 3)
    assert picture_size(tmp_path / "b.png") is None
    assert picture_size(tmp_path / "c.png") is None
