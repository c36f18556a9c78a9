"""Each kind of bad input gets its own message, before memory is taken for it."""

from __future__ import annotations

import resource
import struct
import zipfile
import zlib

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, JPEGBaseline8Bit

from kdistill_core.imaging import ImagingError, read_radiograph
from kdistill_core.imaging.limits import MAX_PIXELS

PICTURE = np.arange(64 * 48, dtype=np.uint16).reshape(64, 48)


def problem_of(path) -> str:
    with pytest.raises(ImagingError) as caught:
        read_radiograph(path)
    assert path.name in caught.value.problem or not path.name
    return str(caught.value)


def test_truncated_pixel_data(write_dicom):
    path = write_dicom(PICTURE)
    path.write_bytes(path.read_bytes()[:-1000])
    assert "truncated: its header calls for 6,144 bytes of pixel data, 5,144 are there" in problem_of(path)


def test_truncated_file_of_pydicom(pydicom_files):
    assert "truncated" in problem_of(pydicom_files / "MR_truncated.dcm")


def test_more_pixel_data_than_rows_and_columns_call_for(write_dicom):
    assert "would come out sheared" in problem_of(write_dicom(PICTURE + 1, Rows=60))


@pytest.mark.parametrize(
    ("keyword", "words"),
    [
        ("Rows", "number of rows"),
        ("Columns", "number of columns"),
        ("PhotometricInterpretation", "photometric interpretation"),
        ("BitsAllocated", "bits allocated"),
        ("PixelRepresentation", "pixel representation"),
    ],
)
def test_a_missing_element_is_named(write_dicom, keyword, words):
    path = write_dicom(PICTURE)
    dataset = pydicom.dcmread(path)
    delattr(dataset, keyword)
    dataset.save_as(path)
    assert f"does not state the {words}" in problem_of(path)


@pytest.mark.parametrize(("stored", "high"), [(17, 16), (0, 0), (12, 10), (12, 16)])
def test_bits_that_do_not_fit(write_dicom, stored, high):
    assert "bits stored" in problem_of(write_dicom(PICTURE, BitsStored=stored, HighBit=high))


def test_one_pixel(write_dicom):
    assert "only 1 by 1 pixels" in problem_of(write_dicom(np.zeros((1, 1), np.uint8)))


def test_a_huge_header_with_ten_bytes_behind_it_takes_no_memory(write_dicom):
    path = write_dicom(np.zeros((1, 10), np.uint8), Rows=20000, Columns=20000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "20,000 by 20,000 pixels" in problem_of(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


def test_a_large_but_allowed_header_with_ten_bytes_behind_it(write_dicom):
    assert "truncated" in problem_of(write_dicom(np.zeros((1, 10), np.uint8), Rows=8000, Columns=8000))


def test_many_frames_that_are_not_there(write_dicom):
    assert "truncated" in problem_of(write_dicom(PICTURE, NumberOfFrames=1000000))


def test_a_frame_beyond_the_last(write_dicom):
    from kdistill_core.records import ImageSource

    path = write_dicom(np.stack([PICTURE, PICTURE]))
    with pytest.raises(ImagingError, match="has 2 frames; frame 3"):
        read_radiograph(ImageSource(str(path), 2))


def test_a_compressed_frame_larger_than_the_header_says(write_dicom, tmp_path):
    # A JPEG header that declares 60,000 by 60,000 pixels: decoders would allocate by it.
    frame = b"\xff\xd8\xff\xc0" + struct.pack(">HBHHB", 11, 8, 60000, 60000, 1) + b"\x01\x11\x00\xff\xd9"
    path = write_dicom(np.zeros((64, 48), np.uint8))
    dataset = pydicom.dcmread(path)
    dataset.PixelData = encapsulate([frame])
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(path)
    assert "its compressed picture 60000 by 60000" in problem_of(path)


def test_a_deflated_bomb_is_not_inflated(write_dicom, monkeypatch):
    monkeypatch.setattr("kdistill_core.imaging.dicom_file.MAX_INFLATED_BYTES", 2**20)
    path = write_dicom(np.zeros((2000, 2000), np.uint8), syntax=DeflatedExplicitVRLittleEndian)
    assert path.stat().st_size < 20_000
    assert "inflates to more than 1,048,576 bytes" in problem_of(path)


def test_a_zip_renamed(tmp_path):
    path = tmp_path / "image.dcm"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "text")
    assert "is a ZIP archive" in problem_of(path)


def test_an_ecg(pydicom_files):
    assert "holds a waveform (12-lead ECG Waveform Storage)" in problem_of(pydicom_files / "waveform_ecg.dcm")


@pytest.mark.parametrize("name", ["reportsi.dcm", "rtplan.dcm", "rtstruct.dcm", "test-SR.dcm"])
def test_objects_without_a_picture(pydicom_files, name):
    assert "not an image" in problem_of(pydicom_files / name)


@pytest.mark.parametrize("name", ["examples_rgb_color.dcm", "examples_palette.dcm", "SC_rgb_rle_16bit.dcm"])
def test_color_dicom(pydicom_files, name):
    assert "is a color picture" in problem_of(pydicom_files / name)


def test_a_color_photograph(tmp_path):
    path = tmp_path / "photo.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((200, 200)).save(path)
    assert "is a color picture" in problem_of(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"hello, this is a text", "not an image in a format"),
        (b"%PDF-1.7 ...", "a PDF document"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "damaged"),
        (b"\0" * 128 + b"DICM", "no DICOM data set"),
        (b"\0" * 128 + b"DICM" + b"\x08\0\x16\0UI", "no DICOM data set"),
        (b"\0" * 128 + b"DICM" + b"\x02\0\x10\0UI\x08\0" + b"x" * 8 + b"\xff" * 40, "damaged"),
    ],
)
def test_files_that_are_no_images(tmp_path, content, words):
    path = tmp_path / "file.dcm"
    path.write_bytes(content)
    assert words in problem_of(path)


def test_a_folder_and_a_missing_file(tmp_path):
    assert "is a folder" in problem_of(tmp_path)
    assert "does not exist" in problem_of(tmp_path / "none.dcm")


def test_a_file_that_may_not_be_read(write_dicom, monkeypatch):
    # The tests may run as root, whom no permission stops.
    path = write_dicom(PICTURE)

    def refuse(*_arguments, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    assert "may not be read by this user" in problem_of(path)


def test_the_directory_of_a_disc_is_no_image(pydicom_files):
    assert "directory of a disc" in problem_of(pydicom_files / "dicomdirtests" / "DICOMDIR")


@pytest.mark.parametrize("name", ["JPGExtended.dcm", "JPEG-lossy.dcm"])
def test_an_unread_syntax_is_named_with_the_package_that_reads_it(pydicom_files, name):
    problem = problem_of(pydicom_files / name)
    assert "1.2.840.10008.1.2.4.51" in problem
    assert "jpeg-extended" in problem


def test_a_syntax_that_nobody_reads_is_named(write_dicom):
    path = write_dicom(PICTURE)
    dataset = pydicom.dcmread(path)
    dataset.PixelData = encapsulate([b"\0\0\1\xba" + b"\0" * 60])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.4.102")
    dataset.save_as(path)
    assert "MPEG-4 AVC/H.264 High Profile / Level 4.1" in problem_of(path)


def test_a_damaged_stream_is_named(pydicom_files, tmp_path):
    content = (pydicom_files / "MR_small_jp2klossless.dcm").read_bytes()
    path = tmp_path / "damaged.dcm"
    path.write_bytes(content[:-3000] + b"\0" * 200)
    assert "damaged" in problem_of(path)


def test_a_png_bomb_is_refused_by_its_header(tmp_path):
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))

    for side in (30000, 9000):
        path = tmp_path / f"{side}.png"
        header = struct.pack(">LLBBBBB", side, side, 8, 0, 0, 0, 0)
        path.write_bytes(
            b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
        )
        assert side * side > MAX_PIXELS
        problem_of(path)


def test_a_truncated_jpeg(tmp_path):
    path = tmp_path / "cut.jpg"
    Image.fromarray((np.random.default_rng(0).random((300, 300)) * 255).astype(np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    assert "truncated" in problem_of(path)


def test_no_patient_data_in_messages(write_dicom):
    path = write_dicom(PICTURE, PatientName="Secret^Person", PatientID="S-17", Rows=60)
    assert "Secret" not in problem_of(path)
    assert "S-17" not in problem_of(path)
