"""The stored values of one frame: what is checked before memory is taken for them.

Only the frame asked for is read and decoded.
"""

from __future__ import annotations

from math import ceil
from typing import Any

from numpy.typing import NDArray
from pydicom.pixels.processing import apply_color_lut
from pydicom.uid import UID

from kdistill_core.imaging.color import gray_of
from kdistill_core.imaging.dicom_decoding import decode_frame
from kdistill_core.imaging.dicom_file import DicomFile
from kdistill_core.imaging.errors import ImagingError
from kdistill_core.imaging.limits import check_size

_ADVICE = "Export the image again from where it came."
_REQUIRED = {
    "Rows": "the number of rows",
    "Columns": "the number of columns",
    "PhotometricInterpretation": "the photometric interpretation",
    "BitsAllocated": "the bits allocated",
}
_REQUIRED_INTEGER = {"BitsStored": "the bits stored", "PixelRepresentation": "the pixel representation"}


def frame_count(file: DicomFile) -> int:
    """Return the number of frames the header declares, 1 where it is silent."""
    value = file.dataset.get("NumberOfFrames")
    return max(1, int(value)) if value else 1


def check_picture(file: DicomFile) -> None:
    """Refuse what cannot hold a picture of the declared size, from the header alone. Raises ImagingError."""
    dataset = file.dataset
    if not file.pixel_keyword:
        raise ImagingError(f"{file.name} holds {_what(dataset)}, not an image.", "Choose an image of the study.")
    required = _REQUIRED | (_REQUIRED_INTEGER if file.pixel_keyword == "PixelData" else {})
    missing = [words for keyword, words in required.items() if dataset.get(keyword) in (None, "")]
    if missing:
        raise ImagingError(f"{file.name} does not state {' and '.join(missing)} of its image.", _ADVICE)
    check_size(file.name, int(dataset.Rows), int(dataset.Columns))
    if file.pixel_keyword == "PixelData":
        _check_integers(file)
    if not file.transfer_syntax.is_encapsulated:
        _check_native_length(file)
    elif file.pixel_bytes == 0:
        raise ImagingError(
            f"{file.name} ends where its pixel data should begin.", "The file is truncated; copy it again."
        )


def stored_values(file: DicomFile, frame: int) -> NDArray[Any]:
    """Return the stored values of ``frame``: integer or float [rows, columns], sign and unused bits resolved.

    Color that is gray in fact becomes one channel. Raises ImagingError.
    """
    frames = frame_count(file)
    if not 0 <= frame < frames:
        raise ImagingError(f"{file.name} has {frames} frames; frame {frame + 1} was asked for.")
    values = decode_frame(file, frame)
    photometric = str(file.dataset.PhotometricInterpretation)
    if photometric == "PALETTE COLOR":
        values = apply_color_lut(values, file.dataset)
    if values.ndim == 3:
        return gray_of(values[..., :3], file.name)
    return values


def _check_integers(file: DicomFile) -> None:
    """Refuse bits that do not fit together (PS3.5 8.1.1). Raises ImagingError."""
    allocated, stored = int(file.dataset.BitsAllocated), int(file.dataset.BitsStored)
    if (allocated not in (1, 8, 16, 32) and file.pixel_keyword == "PixelData") or not 1 <= stored <= allocated:
        raise ImagingError(f"{file.name} states {stored} bits stored in {allocated} allocated.", _ADVICE)


def _check_native_length(file: DicomFile) -> None:
    """Compare the bytes that are there with those that rows, columns and frames call for."""
    dataset = file.dataset
    samples = int(dataset.get("SamplesPerPixel") or 1)
    bits = int(dataset.Rows) * int(dataset.Columns) * samples * int(dataset.BitsAllocated)
    if dataset.PhotometricInterpretation == "YBR_FULL_422":
        bits = bits * 2 // 3
    expected = ceil(bits * frame_count(file) / 8)
    if file.pixel_bytes < expected:
        raise ImagingError(
            f"{file.name} is truncated: its header calls for {expected:,} bytes of pixel data, "
            f"{file.pixel_bytes:,} are there.",
            "Copy the file again from where it came.",
        )
    # One byte pads an odd length, and some writers pad with more zeros. Anything else means wrong rows or columns.
    if file.pixel_bytes > expected + 1 and not _is_zero_from(file, expected):
        raise ImagingError(
            f"{file.name} holds {file.pixel_bytes:,} bytes of pixel data, its header calls for {expected:,}.",
            f"Rows, columns, bits or frames are stated wrongly, and the picture would come out sheared. {_ADVICE}",
        )


def _is_zero_from(file: DicomFile, offset: int) -> bool:
    start = file.stream.tell()
    file.stream.seek(start + offset)
    remaining = file.pixel_bytes - offset
    zero = True
    while zero and remaining > 0:
        chunk = file.stream.read(min(remaining, 2**20))
        zero = bool(chunk) and not any(chunk)
        remaining -= len(chunk)
    file.stream.seek(start)
    return zero


def _what(dataset: Any) -> str:
    """Return in words what kind of object the data set is."""
    name = UID(str(dataset.get("SOPClassUID", ""))).name
    if "Waveform" in name:
        return f"a waveform ({name})"
    return f"a DICOM object of the kind {name!r}" if name else "a DICOM data set without pixel data"
