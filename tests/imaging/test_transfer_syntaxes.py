"""One picture in every transfer syntax that an encoder here writes, and the values that come back."""

from __future__ import annotations

import warnings

import gdcm
import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from kdistill_core.imaging import read_radiograph
from kdistill_core.records import ImageSource


def picture(dtype, bits) -> np.ndarray:
    """Return a smooth picture with an edge, of all the range of ``bits``, [60, 45]."""
    row, column = np.mgrid[:60, :45]
    values = (np.sin(row / 9) + np.cos(column / 7) + (column > 20)) / 4 + 0.375
    low = -(2 ** (bits - 1)) if np.dtype(dtype).kind == "i" else 0
    return (np.clip(values, 0, 1) * (2**bits - 1) + low).astype(dtype)


DEPTHS = [(np.uint8, 8), (np.uint16, 12), (np.uint16, 16), (np.int16, 12), (np.int16, 16)]


@pytest.mark.parametrize(("dtype", "bits"), DEPTHS)
@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_uncompressed(write_dicom, syntax, dtype, bits):
    stored = picture(dtype, bits)
    path = write_dicom(stored, syntax=syntax, BitsStored=bits)
    np.testing.assert_array_equal(read_radiograph(path).pixels, stored)


@pytest.mark.parametrize(("dtype", "bits"), DEPTHS)
@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless], ids=lambda uid: uid.name)
def test_lossless_by_pydicom(write_dicom, syntax, dtype, bits):
    stored = picture(dtype, bits)
    path = write_dicom(stored, BitsStored=bits)
    dataset = pydicom.dcmread(path)
    dataset.compress(syntax)
    dataset.save_as(path)
    np.testing.assert_array_equal(read_radiograph(path).pixels, stored)


def test_near_lossless(write_dicom):
    stored = picture(np.uint8, 8)
    path = write_dicom(stored)
    dataset = pydicom.dcmread(path)
    dataset.compress(JPEGLSNearLossless, jls_error=2)
    dataset.save_as(path)
    np.testing.assert_allclose(read_radiograph(path).pixels, stored, atol=2)


@pytest.mark.parametrize(
    ("uid", "dtype", "bits", "tolerance"),
    [
        ("1.2.840.10008.1.2.4.50", np.uint8, 8, 12),
        ("1.2.840.10008.1.2.4.57", np.uint16, 12, 0),
        ("1.2.840.10008.1.2.4.70", np.uint8, 8, 0),
        ("1.2.840.10008.1.2.4.70", np.uint16, 12, 0),
        ("1.2.840.10008.1.2.4.70", np.uint16, 16, 0),
        ("1.2.840.10008.1.2.4.91", np.uint16, 12, 40),
    ],
)
def test_jpeg_by_gdcm(write_dicom, tmp_path, uid, dtype, bits, tolerance):
    stored = picture(dtype, bits)
    target = tmp_path / "jpeg.dcm"
    reader = gdcm.ImageReader()
    reader.SetFileName(str(write_dicom(stored, BitsStored=bits)))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(uid)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(target))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    assert pydicom.dcmread(target).file_meta.TransferSyntaxUID == uid
    np.testing.assert_allclose(read_radiograph(target).pixels, stored, atol=tolerance)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless, JPEG2000Lossless], ids=lambda uid: uid.name)
def test_one_frame_of_several_is_decoded_alone(write_dicom, syntax, monkeypatch):
    frames = np.stack([picture(np.uint16, 12) // (index + 1) for index in range(4)])
    path = write_dicom(frames, BitsStored=12)
    if syntax.is_compressed:
        dataset = pydicom.dcmread(path)
        dataset.compress(syntax)
        dataset.save_as(path)
    taken = []
    empty = np.empty
    monkeypatch.setattr(np, "empty", lambda shape, *rest, **more: taken.append(shape) or empty(shape, *rest, **more))
    for index in (3, 0, 2):
        radiograph = read_radiograph(ImageSource(str(path), index))
        np.testing.assert_array_equal(radiograph.pixels, frames[index])
        assert radiograph.frames == 4
    assert all(np.prod(shape) <= 60 * 45 for shape in taken)


@pytest.mark.parametrize(("dtype", "high"), [(np.uint16, 15), (np.uint16, 13), (np.int16, 15), (np.int16, 13)])
def test_values_that_do_not_end_at_the_lowest_bit(write_dicom, dtype, high):
    stored = picture(dtype, 12)
    raised = np.left_shift(stored, high - 11)
    path = write_dicom(raised, BitsStored=12, HighBit=high)
    np.testing.assert_array_equal(read_radiograph(path).pixels, stored)


def test_bits_above_those_stored_are_ignored(write_dicom):
    stored = picture(np.uint16, 12)
    overlay = np.where(np.indices(stored.shape).sum(axis=0) % 2, 0x8000, 0).astype(np.uint16)
    np.testing.assert_array_equal(read_radiograph(write_dicom(stored | overlay, BitsStored=12)).pixels, stored)


def test_a_data_set_without_preamble_or_meta(write_dicom, tmp_path):
    stored = picture(np.uint16, 12)
    dataset = pydicom.dcmread(write_dicom(stored, BitsStored=12))
    bare = tmp_path / "bare"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pydicom.dcmwrite(bare, pydicom.Dataset(dataset), implicit_vr=True, little_endian=True)
    assert bare.read_bytes()[:2] == b"\x08\x00"
    np.testing.assert_array_equal(read_radiograph(bare).pixels, stored)


def test_float_pixel_data(write_dicom):
    stored = picture(np.uint16, 12)
    path = write_dicom(stored)
    dataset = pydicom.dcmread(path)
    del dataset.PixelData, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation
    dataset.BitsAllocated = 32
    dataset.FloatPixelData = (stored / 7).astype("<f4").tobytes()
    dataset.save_as(path)
    np.testing.assert_allclose(read_radiograph(path).pixels, stored / 7, rtol=1e-6)
