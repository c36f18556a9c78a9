"""Every gray image inside pydicom's package, against highdicom's pipeline and SimpleITK's DICOM reader."""

from __future__ import annotations

import warnings
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
import SimpleITK

from kdistill_core.imaging import read_radiograph
from kdistill_core.imaging.dicom_reader import dicom_entry
from kdistill_core.imaging.display import presets, render
from kdistill_core.records import ImageSource

FOLDER = Path(pydicom.__file__).parent / "data" / "test_files"
GRAY = [
    "693_J2KI.dcm",
    "CT_small.dcm",
    "J2K_pixelrep_mismatch.dcm",
    "JPEG2000.dcm",
    "JPEGLSNearLossless_08.dcm",
    "JPEGLSNearLossless_16.dcm",
    "MR_small.dcm",
    "MR_small_RLE.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_expb.dcm",
    "MR_small_implicit.dcm",
    "MR_small_jp2klossless.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "MR_small_padded.dcm",
    "examples_overlay.dcm",
    "image_dfl.dcm",
    "rtdose_1frame.dcm",
]
MULTI_FRAME = ["rtdose.dcm", "rtdose_expb.dcm", "rtdose_rle.dcm"]


def simpleitk_values(path: Path) -> np.ndarray:
    """Return SimpleITK's rescaled values, float64 [frames, rows, columns]."""
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    return SimpleITK.GetArrayFromImage(reader.Execute()).astype(np.float64)


# GDCM fails on the dose grid's attributes; highdicom parses little-endian data sets only.
BEYOND_SIMPLEITK = {"rtdose_1frame.dcm"}
BEYOND_HIGHDICOM = {"MR_small_bigendian.dcm", "MR_small_expb.dcm"}


@pytest.mark.parametrize("name", [name for name in GRAY if name not in BEYOND_SIMPLEITK])
def test_modality_values_are_those_of_simpleitk(name):
    expected = simpleitk_values(FOLDER / name)
    np.testing.assert_allclose(read_radiograph(FOLDER / name).pixels, np.squeeze(expected), rtol=1e-6)


@pytest.mark.parametrize("name", [name for name in GRAY if name not in BEYOND_HIGHDICOM])
def test_display_values_are_those_of_highdicom(name):
    path = FOLDER / name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = highdicom.imread(path)
        expected = image.get_frame(
            1, dtype=np.float64, apply_voi_transform=None, apply_presentation_lut=True, voi_output_range=(0, 255)
        )
    radiograph = read_radiograph(path)
    if radiograph.windows:
        np.testing.assert_allclose(render(radiograph, presets(radiograph)[0]), expected, atol=0.51)
    else:
        np.testing.assert_allclose(radiograph.pixels, expected, rtol=1e-6)


@pytest.mark.parametrize("name", MULTI_FRAME)
def test_each_frame_is_that_frame(name):
    path = FOLDER / name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stored = pydicom.dcmread(path).pixel_array
    assert dicom_entry(path).frames == len(stored)
    for frame in (0, 7, len(stored) - 1):
        radiograph = read_radiograph(ImageSource(str(path), frame))
        np.testing.assert_allclose(radiograph.pixels, stored[frame], rtol=1e-6)
        assert radiograph.frames == len(stored)


def test_shared_cr_files_agree_with_simpleitk(shared_data):
    for path in sorted((shared_data / "dicom").glob("*.dcm")):
        radiograph = read_radiograph(path)
        # ITK inverts MONOCHROME1 on reading, over the range of its 15 bits; we keep the values and the flag.
        assert radiograph.inverted
        np.testing.assert_array_equal(32767 - radiograph.pixels, np.squeeze(simpleitk_values(path)))
        assert radiograph.view_position == "PA"
        assert radiograph.patient_orientation == ("L", "F")
