"""The stored values of one frame: what is checked before memory is taken, and decoding.

Only the frame asked for is read and decoded.
"""

from __future__ import annotations

import logging
from math import ceil
from typing import Any

from numpy.typing import NDArray
from pydicom.pixels import apply_color_lut, get_decoder
from pydicom.pixels.utils import as_pixel_options
from pydicom.uid import UID, JPEGExtended12Bit

from kdistill_core.imaging.color import gray_of
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
    values = _decode(file, frame)
    photometric = str(file.dataset.PhotometricInterpretation)
    if photometric == "PALETTE COLOR":
        values = apply_color_lut(values, file.dataset)
    if values.ndim == 3:
        return gray_of(values[..., :3], file.name)
    return values


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
    # One byte pads an odd length; some writers pad a little more. A whole row too many means wrong rows or columns.
    row = ceil(bits / int(dataset.Rows) / 8)
    if file.pixel_bytes >= expected + max(row, 2):
        raise ImagingError(
            f"{file.name} holds {file.pixel_bytes:,} bytes of pixel data, its header calls for {expected:,}.",
            f"Rows, columns or bits are stated wrongly, and the picture would come out sheared. {_ADVICE}",
        )


def _decode(file: DicomFile, frame: int) -> NDArray[Any]:
    try:
        decoder = get_decoder(file.transfer_syntax)
    except NotImplementedError as error:
        raise _no_decoder(file.name, file.transfer_syntax) from error
    if not decoder.is_available:
        raise _no_decoder(file.name, file.transfer_syntax)
    options = as_pixel_options(file.dataset, pixel_keyword=file.pixel_keyword)
    if not file.transfer_syntax.is_encapsulated:
        options["pixel_vr"] = file.pixel_vr
    options.setdefault("samples_per_pixel", 1)
    log = logging.getLogger("pydicom")
    level = log.level
    # A decoder's failure is reported once, below, not as a traceback for each plugin that was tried.
    log.setLevel(logging.CRITICAL)
    try:
        values, _ = decoder.as_array(file.stream, index=frame, **options)
    except Exception as error:
        raise _undecodable(file, error) from error
    finally:
        log.setLevel(level)
    return values


def _undecodable(file: DicomFile, error: Exception) -> ImagingError:
    if file.transfer_syntax == JPEGExtended12Bit and int(file.dataset.BitsStored) > 8:
        return _no_decoder(file.name, file.transfer_syntax)
    return ImagingError(
        f"{file.name} holds pixel data that no decoder for {file.transfer_syntax.name} could read.",
        f"The file is truncated or damaged; copy it again. ({type(error).__name__})",
    )


def _no_decoder(name: str, syntax: UID) -> ImagingError:
    problem = f"{name} is compressed as {syntax.name} ({syntax}), which no installed decoder reads."
    if syntax == JPEGExtended12Bit:
        return ImagingError(problem, 'Install pylibjpeg-libjpeg (GPLv3): pip install "kdistill[jpeg-extended]".')
    return ImagingError(
        problem, "Convert it with gdcmconv --raw or dcmdjpeg, or ask the archive for an uncompressed copy."
    )


def _what(dataset: Any) -> str:
    """Return in words what kind of object the data set is."""
    name = UID(str(dataset.get("SOPClassUID", ""))).name
    if "Waveform" in name:
        return f"a waveform ({name})"
    return f"a DICOM object of the kind {name!r}" if name else "a DICOM data set without pixel data"
