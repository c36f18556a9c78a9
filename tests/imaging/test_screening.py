"""What is declined and what is let through, on real radiographs, their turned copies, and everything else at hand."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from kdistill_core.imaging import ImagingError, read_radiograph
from kdistill_core.imaging.chest_features import chest_features
from kdistill_core.imaging.screening import screen
from kdistill_core.records import ImageSource, Radiograph

# Not frontal chests, though they lie among them; judged by eye.
LATERALS = ("35AF5C3B-D04D", "D5ACAA93-C779", "F2DE909F-E19C", "44C8E3D6-20DA")


def radiograph(pixels: np.ndarray, **fields) -> Radiograph:
    return Radiograph(pixels=np.asarray(pixels, np.float32), source=ImageSource("made"), sha256="", **fields)


@pytest.fixture(scope="module")
def nih(shared_data) -> list[Radiograph]:
    """Radiographs of patients that the numbers were not fitted on."""
    held_out = [path for path in sorted((shared_data / "images/nih/512").glob("*.jpg")) if int(path.stem[:8]) % 20 < 3]
    return [read_radiograph(path) for path in held_out[::2]]


def declined(radiographs) -> list[str]:
    return [reason for reason in map(screen, radiographs) if reason]


@pytest.mark.real_data
def test_frontal_chests_are_accepted(nih, shared_data):
    hannover = [read_radiograph(path) for path in sorted((shared_data / "images/hannover/images").glob("*.jpg"))[::3]]
    others = [
        read_radiograph(path)
        for path in sorted((shared_data / "images/lung_masks/images").glob("*.jpg"))
        if not path.name.startswith(LATERALS)
    ]
    everything = [*nih, *hannover, *others]
    assert len(everything) > 200
    assert len(declined(everything)) <= 0.01 * len(everything)


@pytest.mark.real_data
def test_both_cr_files_are_accepted_also_without_their_headers(shared_data):
    for path in sorted((shared_data / "dicom").glob("*.dcm")):
        found = read_radiograph(path)
        assert screen(found) is None
        assert screen(replace(found, modality="", body_part="", view_position="")) is None


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda pixels: np.rot90(pixels, 1), "turned by 90 degrees to the left"),
        (lambda pixels: np.rot90(pixels, -1), "turned by 90 degrees to the right"),
        (lambda pixels: np.rot90(pixels, 2), "upside down"),
        (lambda pixels: 255 - pixels, "negative"),
    ],
)
def test_a_turned_or_negative_chest_is_named(nih, change, words):
    reasons = [screen(radiograph(change(found.pixels))) for found in nih]
    named = [reason for reason in reasons if reason and words in reason]
    assert sum(reason is None for reason in reasons) <= 0.01 * len(reasons)
    assert len(named) >= 0.97 * len(reasons)


@pytest.mark.real_data
def test_most_lateral_views_are_declined(shared_data):
    folder = shared_data / "images/lung_masks/images"
    laterals = [path for path in folder.glob("*.jpg") if path.name.startswith(LATERALS)]
    assert len(declined(map(read_radiograph, laterals))) >= 3


@pytest.mark.real_data
def test_a_true_header_softens_the_judgment_and_a_false_one_does_not_save(nih):
    header = {"modality": "DX", "body_part": "CHEST", "view_position": "PA"}
    assert not declined(replace(found, **header) for found in nih)
    noise = np.random.default_rng(0).random((200, 200))
    assert screen(radiograph(noise, **header)) is not None


def test_no_image_of_pydicom_passes_even_without_its_header(pydicom_files):
    passed, judged = [], 0
    for path in sorted(pydicom_files.glob("*.dcm")):
        try:
            found = read_radiograph(path)
        except ImagingError:
            continue
        judged += 1
        if screen(replace(found, modality="", body_part="", view_position="")) is None:
            passed.append(path.name)
    assert judged > 25
    assert passed == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"modality": "CT"}, "a CT slice"),
        ({"modality": "US"}, "an ultrasound image"),
        ({"modality": "XYZ"}, "modality XYZ"),
        ({"modality": "DX", "body_part": "KNEE"}, "another body part (knee)"),
        ({"modality": "DX", "body_part": "CHEST", "view_position": "LL"}, "lateral view (LL)"),
        ({"modality": "CR", "view_position": "LAO"}, "oblique view (LAO)"),
    ],
)
def test_the_header_is_believed_when_it_says_something_else(fields, words):
    assert words in screen(radiograph(np.random.default_rng(0).random((100, 100)), **fields))


def test_pictures_without_a_chest_are_declined():
    rng = np.random.default_rng(1)
    row, column = np.mgrid[:256, :256]
    pictures = {
        "constant": np.full((256, 256), 7.0),
        "noise": rng.random((256, 256)),
        "ramp": row + column,
        "disk": np.hypot(row - 128, column - 128) < 90,
        "stripes": (row // 16) % 2,
        **{f"clouds {n}": ndimage.gaussian_filter(rng.normal(size=(256, 256)), 6) for n in range(10)},
    }
    assert [name for name, picture in pictures.items() if screen(radiograph(picture)) is None] == []


def test_photographs_in_gray_are_declined(tmp_path):
    # Found without importing these packages, which takes seconds.
    packages = [Path(find_spec(name).origin).parent for name in ("sklearn", "matplotlib")]
    photographs = [
        *(packages[0] / "datasets" / "images").glob("*.jpg"),
        *(packages[1] / "mpl-data" / "sample_data").glob("*.jpg"),
    ]
    assert len(photographs) >= 3
    for number, path in enumerate(photographs):
        gray = tmp_path / f"{number}.png"
        Image.open(path).convert("L").save(gray)
        assert screen(read_radiograph(gray)) is not None


def test_a_tiny_picture_cannot_be_judged():
    assert "too small" in screen(radiograph(np.random.default_rng(0).random((40, 40))))


def test_features_do_not_depend_on_the_window():
    picture = ndimage.gaussian_filter(np.random.default_rng(2).random((200, 160)), 5).astype(np.float32)
    picture = (picture - picture.min()) / np.ptp(picture)
    np.testing.assert_allclose(chest_features(picture * 0.5 + 0.2), chest_features(picture), atol=2e-3)
