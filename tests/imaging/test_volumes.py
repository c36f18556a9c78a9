"""NIfTI, MetaImage and NRRD, written by SimpleITK in every orientation."""

from __future__ import annotations

import itertools
import struct

import numpy as np
import pytest
import SimpleITK

from kdistill_core.imaging import ImageEntry, ImagingError, find_images, read_radiograph
from kdistill_core.records import Spacing, SpacingSource

PICTURE = (np.arange(30 * 20) % 997).reshape(30, 20).astype(np.int16)
LEFT, BACK, HEAD = np.eye(3)


def write(path, picture, *, right=None, down=None, spacing=(0.5, 0.25)):
    """Write ``picture`` [rows, columns] as one slice; ``right`` and ``down`` are where its axes lead (LPS)."""
    if right is None:
        image = SimpleITK.GetImageFromArray(picture)
        image.SetSpacing(spacing)
    else:
        image = SimpleITK.GetImageFromArray(picture[None])
        image.SetSpacing((*spacing, 1.0))
        image.SetDirection(np.column_stack([right, down, np.cross(right, down)]).ravel().tolist())
    SimpleITK.WriteImage(image, str(path), useCompression=path.suffix != ".nii")
    return path


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".nhdr"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32])
def test_a_flat_picture_comes_back(tmp_path, suffix, dtype):
    path = write(tmp_path / f"image{suffix}", PICTURE.astype(dtype))
    radiograph = read_radiograph(path)
    np.testing.assert_array_equal(radiograph.pixels, PICTURE.astype(dtype))
    assert radiograph.spacing == Spacing(0.25, 0.5, SpacingSource.DETECTOR)
    assert [(entry.rows, entry.columns) for entry in find_images([path]) if isinstance(entry, ImageEntry)] == [(30, 20)]


@pytest.mark.parametrize("suffix", [".nii.gz", ".mha", ".nrrd"])
def test_a_coronal_slice_stands_upright_however_it_is_stored(tmp_path, suffix):
    """Upright: columns lead to the patient's left, rows to the feet."""
    for number, (transpose, flip_x, flip_y) in enumerate(itertools.product([False, True], repeat=3)):
        right, down = LEFT * (-1 if flip_x else 1), -HEAD * (-1 if flip_y else 1)
        stored = PICTURE[:: -1 if flip_y else 1, :: -1 if flip_x else 1]
        spacing = (0.5, 0.25)
        if transpose:
            stored, right, down, spacing = stored.T, down, right, spacing[::-1]
        path = write(
            tmp_path / f"{number}{suffix}", np.ascontiguousarray(stored), right=right, down=down, spacing=spacing
        )
        radiograph = read_radiograph(path)
        np.testing.assert_array_equal(radiograph.pixels, PICTURE)
        assert (radiograph.spacing.row_mm, radiograph.spacing.column_mm) == pytest.approx((0.25, 0.5))
        assert radiograph.patient_orientation == ("L", "F")


def test_an_identity_that_says_nothing_leaves_the_picture_as_stored(tmp_path):
    path = write(tmp_path / "image.nii", PICTURE, right=-LEFT, down=-BACK, spacing=(1.0, 1.0))
    radiograph = read_radiograph(path)
    np.testing.assert_array_equal(radiograph.pixels, PICTURE)
    assert radiograph.spacing == Spacing()


def test_a_volume_is_refused(tmp_path):
    path = tmp_path / "volume.nii.gz"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.zeros((5, 20, 20), np.int16)), str(path))
    with pytest.raises(ImagingError, match="a volume of 20 by 20 by 5 voxels"):
        read_radiograph(path)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".mha", ".nrrd"])
@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("part", [0.3, 0.97])
def test_truncated_data(tmp_path, capfd, suffix, compress, part):
    path = tmp_path / f"image{suffix}"
    noise = np.random.default_rng(0).integers(0, 999, (100, 100)).astype(np.int16)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(noise), str(path), useCompression=compress)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(ImagingError, match="truncated or damaged"):
        read_radiograph(path)
    assert capfd.readouterr() == ("", "")


def test_a_packed_file_is_not_mistaken_for_its_unpacked_neighbor(tmp_path):
    write(tmp_path / "image.nii", PICTURE)
    packed = write(tmp_path / "other.nii.gz", PICTURE + 5).rename(tmp_path / "image.nii.gz")
    np.testing.assert_array_equal(read_radiograph(packed).pixels, PICTURE + 5)


def test_a_damaged_header(tmp_path):
    path = tmp_path / "image.nrrd"
    path.write_bytes(b"NRRD0004\nnonsense\n\n")
    with pytest.raises(ImagingError, match="damaged header"):
        read_radiograph(path)


@pytest.mark.parametrize(
    ("side", "words"), [(20000, "20,000 by 20,000"), (8000, "truncated or damaged: its header calls for 128,000,352")]
)
def test_a_bomb_is_refused_by_its_header(tmp_path, side, words):
    path = write(tmp_path / "image.nii", PICTURE)
    header = bytearray(path.read_bytes())
    header[42:46] = struct.pack("<hh", side, side)
    path.write_bytes(header)
    with pytest.raises(ImagingError, match=words):
        read_radiograph(path)


def test_values_that_are_no_numbers(tmp_path):
    picture = PICTURE.astype(np.float32)
    picture[3, 3] = np.nan
    with pytest.raises(ImagingError, match="not numbers"):
        read_radiograph(write(tmp_path / "image.mha", picture))
