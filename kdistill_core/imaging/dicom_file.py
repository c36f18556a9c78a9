"""A DICOM file opened up to its pixel data: the header, the transfer syntax, and where the pixels lie."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom import config
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset, read_file_meta_info
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from kdistill_core.imaging.errors import ImagingError
from kdistill_core.imaging.limits import MAX_INFLATED_BYTES

_PIXEL_KEYWORDS = {0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData", 0x7FE00010: "PixelData"}
_PIXEL_VRS = {b"OB", b"OW", b"OF", b"OD", b"UN"}
_UNDEFINED_LENGTH = 0xFFFFFFFF
_PREAMBLE_BYTES = 132


@dataclass(frozen=True, eq=False)
class DicomFile:
    """A data set without its pixels.

    stream: positioned at the first byte of the pixel data's value; deflated files are inflated into memory.
    pixel_keyword: empty where the file holds no pixel data.
    pixel_bytes: bytes of pixel data the stream really holds; declared_bytes: what the element says, None if undefined.
    """

    name: str
    dataset: Dataset
    transfer_syntax: UID
    stream: BinaryIO
    pixel_keyword: str
    pixel_vr: str
    pixel_bytes: int
    declared_bytes: int | None


@contextmanager
def opened_dicom(path: Path) -> Iterator[DicomFile]:
    """Open ``path`` up to its pixel data; faults of the header, also late ones, become ImagingError.

    pydicom reads values when they are first asked for and warns of each odd one, quoting it. Such a quotation may be
    a patient's name, so its warnings are kept off the screen and out of logs; what matters is checked here.
    """
    with warnings.catch_warnings(), config.disable_value_validation():
        warnings.filterwarnings("ignore", module="pydicom")
        try:
            with path.open("rb") as file:
                yield _parse(file, path)
        except ImagingError:
            raise
        except Exception as error:  # pydicom raises some twenty kinds for what a damaged header may hold
            raise ImagingError(
                f"{path.name} is a DICOM file with a damaged header.",
                f"Export it again from where it came. (Reading failed with {type(error).__name__}.)",
            ) from error


def _parse(file: BinaryIO, path: Path) -> DicomFile:
    dataset, stream, syntax = _read_header(file, path)
    if not dataset:
        raise ImagingError(f"{path.name} holds no DICOM data set.", "It is empty or damaged; copy it again.")
    keyword, vr, declared = _pixel_element(stream, syntax)
    start = stream.tell()
    available = stream.seek(0, io.SEEK_END) - start
    stream.seek(start)
    if declared is not None:
        available = min(available, declared)
    return DicomFile(path.name, dataset, syntax, stream, keyword, vr, available, declared)


def _read_header(file: BinaryIO, path: Path) -> tuple[Dataset, BinaryIO, UID]:
    """Return the data set up to its pixel data, the stream that stands there, and the transfer syntax."""
    meta = read_file_meta_info(path) if file.read(_PREAMBLE_BYTES).endswith(b"DICM") else FileMetaDataset()
    file.seek(0)
    if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        stream = _inflated(file, path.name, meta)
        dataset = read_dataset(stream, is_implicit_VR=False, is_little_endian=True, stop_when=_at_pixel_data)
        dataset.file_meta = meta
        return dataset, stream, DeflatedExplicitVRLittleEndian
    read = pydicom.dcmread(file, stop_before_pixels=True, force=True)
    syntax = read.file_meta.get("TransferSyntaxUID")
    if syntax:
        return read, file, UID(syntax)
    implicit, little_endian = read.original_encoding
    if implicit:
        return read, file, ImplicitVRLittleEndian
    return read, file, ExplicitVRLittleEndian if little_endian else ExplicitVRBigEndian


def _inflated(file: BinaryIO, name: str, meta: FileMetaDataset) -> BinaryIO:
    """Return the inflated data set as a stream. Raises ImagingError for a decompression bomb."""
    # The group length element takes 12 bytes and counts those that follow it (PS3.10 7.1).
    file.seek(_PREAMBLE_BYTES + 12 + int(meta.FileMetaInformationGroupLength))
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    data = inflater.decompress(file.read(), MAX_INFLATED_BYTES)
    if inflater.unconsumed_tail:
        raise ImagingError(
            f"{name} inflates to more than {MAX_INFLATED_BYTES:,} bytes.",
            "No radiograph is that large; it was not read, to protect memory.",
        )
    return io.BytesIO(data)


def _at_pixel_data(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return int(tag) in _PIXEL_KEYWORDS


def _pixel_element(stream: BinaryIO, syntax: UID) -> tuple[str, str, int | None]:
    """Read the head of the pixel data element at which ``stream`` stands: keyword, VR and declared length."""
    order = "<" if syntax.is_little_endian else ">"
    head = stream.read(8)
    if len(head) < 8:
        return "", "", 0
    group, element = struct.unpack(order + "HH", head[:4])
    keyword = _PIXEL_KEYWORDS.get(group << 16 | element, "")
    # Some writers encode the pixel data element, or all, otherwise than the transfer syntax says.
    if syntax.is_implicit_VR or head[4:6] not in _PIXEL_VRS:
        vr, length = "OW", struct.unpack(order + "L", head[4:])[0]
    else:
        vr, length = head[4:6].decode("ascii", "replace"), struct.unpack(order + "L", stream.read(4))[0]
    return keyword, vr, None if length == _UNDEFINED_LENGTH else int(length)
