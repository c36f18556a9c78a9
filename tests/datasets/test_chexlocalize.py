"""CheXlocalize: masks by image, labels by study, images from a CheXpert folder inside or beside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kdistill_core.conditions import Condition, State
from kdistill_core.datasets.chexlocalize import SOURCES
from kdistill_core.datasets.contract import DatasetError, Ledger, ReadOptions
from kdistill_core.datasets.masks import array_of_mask
from kdistill_core.records import Study

(CHEXLOCALIZE,) = SOURCES
TEN = [
    "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Lesion", "Airspace Opacity", "Edema", "Consolidation",
    "Atelectasis", "Pneumothorax", "Pleural Effusion", "Support Devices",
]  # fmt: skip
FRONTAL, LATERAL = "patient64541_study1_view1_frontal", "patient64541_study1_view2_lateral"


def of_image(**marked: str) -> dict[str, Any]:
    """Return ten packed masks of 4 rows and 5 columns, empty ("d0" is 20) but for those given."""
    return {name: {"size": [4, 5], "counts": marked.get(name.replace(" ", "_"), "d0")} for name in TEN}


def write(root: Path, split: str = "val", images: str = "CheXpert/val", **content: Any) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / f"gt_segmentations_{split}.json").write_text(json.dumps(content))
    for name in content:
        path = root / images / f"{name.rsplit('_', 1)[0].replace('_', '/')}_{name.rsplit('_', 1)[1]}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (5, 4)).save(path)
    return root


def read(root: Path) -> tuple[list[Study], dict[str, int]]:
    assert CHEXLOCALIZE.recognizes(root)
    ledger = Ledger()
    studies = list(CHEXLOCALIZE.open(root, ReadOptions()).iterate(ledger))
    return studies, {remark.kind: remark.count for remark in ledger.remarks()}


def test_masks_stay_with_their_image_and_labels_belong_to_the_study(tmp_path: Path) -> None:
    content = {FRONTAL: of_image(Airspace_Opacity="4248"), LATERAL: of_image(Support_Devices="0d0")}
    (study,), remarks = read(write(tmp_path, **content))
    assert study.id == "patient64541_study1"
    assert study.patient.id == "patient64541"
    assert study.split == "validation"
    frontal, lateral = study.images
    assert (frontal.rows, frontal.columns, frontal.view_position) == (4, 5, "FRONTAL")
    (region,) = frontal.regions
    assert (region.label, region.condition) == ("Airspace Opacity", Condition.LUNG_OPACITY)
    assert region.mask is not None
    # Runs 4, 2, 4, 10 down the columns: four rows of the first column, two marked rows of the second, and so on.
    expected = np.zeros((4, 5), dtype=bool)
    expected[0:2, 1] = True
    expected[2:4, 2] = expected[:, 3:] = True
    assert (array_of_mask(region.mask) == expected).all()
    assert [region.condition for region in lateral.regions] == [Condition.SUPPORT_DEVICES]
    positive = {finding.condition for finding in study.findings if finding.state is State.POSITIVE}
    assert positive == {Condition.LUNG_OPACITY, Condition.SUPPORT_DEVICES}
    blank = {finding.condition for finding in study.findings if finding.state is State.BLANK}
    assert blank == {Condition.PNEUMONIA, Condition.PLEURAL_OTHER, Condition.FRACTURE, Condition.NO_FINDING}
    assert remarks == {}


@pytest.mark.parametrize("images", ["CheXpert/val", "CheXpert-v1.0-small/valid", "../CheXpert-v1.0/valid", "valid"])
def test_images_are_found_inside_or_beside(tmp_path: Path, images: str) -> None:
    (study,), remarks = read(write(tmp_path / "chexlocalize", images=images, **{FRONTAL: of_image()}))
    assert Path(study.images[0].source.path).is_file()
    assert remarks == {}


def test_images_beside_are_found_from_within(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(tmp_path / "chexlocalize", images="../CheXpert-v1.0/valid", **{FRONTAL: of_image()})
    monkeypatch.chdir(root)
    assert read(Path())[1] == {}


def test_both_splits_are_read_from_the_folder_they_are_distributed_in(tmp_path: Path) -> None:
    write(tmp_path / "CheXlocalize", "val", **{FRONTAL: of_image()})
    write(tmp_path / "CheXlocalize", "test", patient64741_study1_view1_frontal=of_image())
    studies, remarks = read(tmp_path)
    assert [(study.id, study.split) for study in studies] == [
        ("patient64541_study1", "validation"),
        ("patient64741_study1", "test"),
    ]
    assert remarks == {"missing image": 2}  # the images lie below CheXlocalize here, where they do not belong


def test_an_image_of_another_size_is_noted(tmp_path: Path) -> None:
    root = write(tmp_path, **{FRONTAL: of_image()})
    Image.new("L", (50, 40)).save(root / "CheXpert/val/patient64541/study1/view1_frontal.jpg")
    assert read(root)[1] == {"masks of another size": 1}


def test_contours_serve_where_packed_masks_are_not_there(tmp_path: Path) -> None:
    contours = {"img_size": [4, 5], "Cardiomegaly": [[[1.2, 1.0], [3.4, 1.0], [3.0, 2.0], [1.0, 2.0]]]}
    (tmp_path / "gt_annotations_test.json").write_text(json.dumps({FRONTAL: contours}))
    (study,), _ = read(tmp_path)
    (region,) = study.images[0].regions
    assert region.mask is not None
    assert array_of_mask(region.mask).sum() == 6
    assert study.split == "test"
    states = {finding.condition: finding.state for finding in study.findings}
    assert states[Condition.CARDIOMEGALY] is State.POSITIVE
    assert states[Condition.EDEMA] is State.NEGATIVE


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '{"patient1_study1_view1_frontal": {"Edema": {"size": [4, 5]}}}',
        '{"patient1_study1_view1_frontal": {"Edema": {"size": [4, 5], "counts": "1"}}}',
        '{"image.jpg": {}}',
        "{",
    ],
)
def test_a_file_of_something_else_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "gt_segmentations_val.json").write_text(text)
    with pytest.raises(DatasetError, match=r"gt_segmentations_val\.json"):
        read(tmp_path)


def test_contours_without_a_size_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "gt_annotations_val.json").write_text('{"patient1_study1_view1_frontal": {"Edema": []}}')
    with pytest.raises(DatasetError, match=r"gt_annotations_val\.json"):
        read(tmp_path)
