"""`kdistill data`: every trap of a data set is named on the screen, and what was counted can be counted by hand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kdistill_core.datasets.inventory import Inventory
from kdistill_core.datasets.prepared import prepare_images
from kdistill_core.records import ImageSource, Study, StudyImage
from kdistill_core.serialization import from_json
from tests.datasets.mimic_tree import IMAGES, STATES, Tree


@pytest.fixture
def trapped(tmp_path) -> Path:
    """A miniature MIMIC-CXR with a trap of each kind."""
    tree = Tree(tmp_path / "mimic-cxr-jpg", version="2.1.0", packing="").write()
    tree.image("dicom-2").unlink()
    tree.image("dicom-4").with_name("dicom-9.jpg").touch()
    tree.report("53189527").unlink()
    tree.report("57375967").write_bytes(" IMPRESSION: Edema at 37\u00b0.\n".encode("latin-1"))
    tree.write_labels({"50414267": {}, "53189527": STATES["53189527"], "50985099": {}, "51111111": {"Edema": "1"}})
    tree.write_split([*IMAGES[:4], IMAGES[5]])
    return tree.root


def test_each_trap_is_named(kdistill, trapped):
    result = kdistill("data", "check", trapped)
    assert result.exit_code == 0
    for kind in (
        "missing image",
        "unlisted image",
        "missing report",
        "report not UTF-8",
        "empty view position",
        "all-blank labels",
        "labels of an unknown study",
        "no labels",
        "no split",
    ):
        assert kind in result.output, kind
    assert "MIMIC-CXR" in result.output


def test_the_json_counts_what_each_filter_leaves_out_as_by_hand(kdistill, trapped, tmp_path):
    target = tmp_path / "inventory.json"
    assert kdistill("data", "check", trapped, "--section", "findings", "--json", target).exit_code == 0
    inventory = from_json(target.read_bytes(), Inventory)
    # 50414267 (three images) is in train, 50985099 in validation, 57375967 in test; 53189527 lost its split.
    assert [(split.split, split.studies, split.images) for split in inventory.as_read.splits] == [
        ("train", 1, 3), ("validation", 1, 1), ("test", 1, 1), ("", 1, 1),
    ]  # fmt: skip
    left_out = {
        (count.filter, count.split): (count.studies_left_out, count.images_left_out)
        for count in inventory.filters
        if count.studies_left_out or count.images_left_out
    }
    assert left_out == {
        ("missing-image", "train"): (0, 1),  # the lateral view, which would have gone next
        ("no-label", "train"): (1, 2),
        ("no-label", "validation"): (1, 1),
        ("no-label", "test"): (1, 1),
        ("no-report", ""): (1, 1),
    }
    assert [(split.studies, split.images) for split in inventory.left.splits] == [(0, 0)] * 4


def test_filters_are_applied_as_they_are_named(kdistill, trapped, tmp_path):
    target = tmp_path / "inventory.json"
    chosen = ("--filter", "unknown-view", "--filter", "not-frontal")
    assert kdistill("data", "check", trapped, *chosen, "--json", target).exit_code == 0
    inventory = from_json(target.read_bytes(), Inventory)
    train = [(count.filter, count.images_left_out) for count in inventory.filters if count.split == "train"]
    assert train == [("unknown-view", 1), ("not-frontal", 1)]
    refused = kdistill("data", "check", trapped, "--filter", "frontal")
    assert refused.exit_code == 1
    assert "There is no filter 'frontal'" in refused.output


def test_the_page_fits_eighty_columns_and_counts_every_view(kdistill, trapped):
    output = kdistill("data", "check", trapped).output
    assert max(len(line.rstrip()) for line in output.splitlines() if str(trapped) not in line) <= 80
    rows = [line.split() for line in output.splitlines()]
    # by split (train, validation, test, none) and all
    assert ["AP", "0", "1", "1", "0", "2"] in rows
    assert ["PA", "1", "0", "0", "1", "2"] in rows
    assert ["(unknown)", "1", "0", "0", "0", "1"] in rows
    assert ["LATERAL", "1", "0", "0", "0", "1"] in rows


def test_damaged_prepared_images_are_named(kdistill, chest, tmp_path):
    study = Study("one", images=(StudyImage("one", ImageSource(str(chest))),))
    prepare_images(tmp_path / "cache", [study], 32)
    assert kdistill("data", "cache", tmp_path / "cache").exit_code == 0
    (pixels,) = (tmp_path / "cache").glob("*/pixels.u8")
    pixels.write_bytes(bytes(1024))
    damaged = kdistill("data", "cache", tmp_path / "cache")
    assert damaged.exit_code == 1
    assert "damaged, to be prepared again" in damaged.output
    nothing = kdistill("data", "cache", tmp_path)
    assert nothing.exit_code == 1


def test_a_folder_of_nothing_known_is_refused_in_plain_words(kdistill, tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    result = kdistill("data", "check", tmp_path)
    assert result.exit_code == 1
    assert "holds no data set that is known here" in result.output


def test_a_wrong_label_is_refused_with_file_and_line(kdistill, trapped):
    table = trapped / "mimic-cxr-2.1.0-chexpert.csv"
    lines = table.read_text().splitlines()
    lines[2] = re.sub(r"1\.0", "7", lines[2], count=1)
    table.write_text("\n".join(lines) + "\n")
    result = kdistill("data", "check", trapped)
    assert result.exit_code == 1
    assert "mimic-cxr-2.1.0-chexpert.csv, line 3" in " ".join(result.output.split())


def test_every_kind_says_what_it_needs(kdistill):
    output = kdistill("data", "list").output
    for name in ("mimic-cxr-jpg", "mimic-cxr-dicom", "chexpert", "nih", "openi-xml", "padchest", "vindr", "images"):
        assert name in output
    assert all(line.strip().rstrip(",") for line in output.splitlines())


def test_every_filter_says_what_it_leaves_out(kdistill):
    assert "not-frontal" in kdistill("data", "filters").output
