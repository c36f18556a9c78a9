"""`kdistill data`: every trap of a data set is named on the screen, and what was counted can be counted by hand."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

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


def test_what_filters_drop_adds_up_in_the_json(kdistill, trapped, tmp_path):
    target = tmp_path / "inventory.json"
    assert kdistill("data", "check", trapped, "--json", target).exit_code == 0
    text = target.read_text()
    assert msgspec.json.decode(text)
    # Six images in four studies; one file is gone, one image is a lateral, one study has no labels, two blank ones.
    assert re.search(r'"missing-image"', text)
    assert re.search(r'"not-frontal"', text)


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
