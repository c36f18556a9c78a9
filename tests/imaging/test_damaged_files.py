"""Files with damaged bytes end in a picture or an ImagingError: no other exception, no crash, no long wait."""

from __future__ import annotations

import contextlib
import random
import time

import gdcm
import numpy as np
import pydicom
import pytest
import SimpleITK
from PIL import Image
from pydicom.encaps import encapsulate, get_frame

from kdistill_core.imaging import ImagingError, find_images, read_radiograph

PICTURE = (np.random.default_rng(0).random((64, 64)) * 4095).astype(np.uint16)
MUTATIONS = 12
SECONDS = 10  # of processor time, so that a loaded machine does not count; a read takes some milliseconds


def mutated(content: bytes, rng: random.Random) -> bytes:
    damaged = bytearray(content[: rng.randrange(1, len(content))] if rng.random() < 0.25 else content)
    for _ in range(rng.choice([1, 3, 10])):
        damaged[rng.randrange(min(len(damaged), rng.choice([400, 6000, 10**9])))] = rng.randrange(256)
    return bytes(damaged)


def survives(path) -> None:
    started = time.process_time()
    with contextlib.suppress(ImagingError):
        read_radiograph(path)
    list(find_images([path]))
    assert time.process_time() - started < SECONDS


@pytest.mark.parametrize(
    "name",
    [
        "CT_small.dcm",
        "MR_small_implicit.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_RLE.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "SC_rgb_jpeg_dcmtk.dcm",
        "examples_palette.dcm",
        "image_dfl.dcm",
        "rtdose.dcm",
    ],
)
def test_damaged_dicom(pydicom_files, tmp_path, name):
    rng, content = random.Random(name), (pydicom_files / name).read_bytes()
    for number in range(MUTATIONS):
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(mutated(content, rng))
        survives(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".nii", ".nii.gz", ".mha", ".nrrd"])
def test_damaged_pictures_and_volumes(tmp_path, suffix):
    whole = tmp_path / f"whole{suffix}"
    if suffix in (".png", ".tif"):
        Image.fromarray(PICTURE).save(whole)
    elif suffix == ".jpg":
        Image.fromarray((PICTURE // 16).astype(np.uint8)).save(whole)
    else:
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(PICTURE), str(whole))
    rng = random.Random(suffix)
    for number in range(MUTATIONS):
        path = tmp_path / f"{number}{suffix}"
        path.write_bytes(mutated(whole.read_bytes(), rng))
        survives(path)


def test_a_jpeg_lossless_header_that_makes_gdcm_abort_ends_in_a_message(write_dicom, tmp_path):
    reader = gdcm.ImageReader()
    reader.SetFileName(str(write_dicom(PICTURE, BitsStored=12)))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    path = tmp_path / "lossless.dcm"
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    np.testing.assert_array_equal(read_radiograph(path).pixels, PICTURE)
    dataset = pydicom.dcmread(path)
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    # Bytes between two marker segments: libjpeg warns, GDCM throws through libjpeg's frames, the process ends.
    table = frame.index(b"\xff\xc4")
    dataset.PixelData = encapsulate([frame[:table] + b"\x12\x34\x56\x78" + frame[table:]])
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(path)
    with pytest.raises(ImagingError, match="no decoder for JPEG Lossless"):
        read_radiograph(path)


def test_a_cut_jpeg_ls_stream_is_refused_at_once(pydicom_files, tmp_path):
    content = (pydicom_files / "MR_small_jpeg_ls_lossless.dcm").read_bytes()
    path = tmp_path / "cut.dcm"
    path.write_bytes(content[:-1200])
    started = time.process_time()
    with pytest.raises(ImagingError, match=r"truncated|damaged"):
        read_radiograph(path)
    assert time.process_time() - started < SECONDS
