"""The stored values of one frame: what is checked before memory is taken, and decoding.

Only the frame asked for is read and decoded.
"""

from __future__ import annotations

import struct
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import Decoder, get_decoder
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import as_pixel_options
from pydicom.uid import UID, JPEG2000TransferSyntaxes, JPEGExtended12Bit

from kdistill_core.imaging.codestream import declared_size
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
    values = _decode(file, frame)
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


def _decode(file: DicomFile, frame: int) -> NDArray[Any]:
    try:
        decoder = get_decoder(file.transfer_syntax)
    except NotImplementedError as error:
        raise _no_decoder(file.name, file.transfer_syntax) from error
    if not decoder.is_available:
        raise _no_decoder(file.name, file.transfer_syntax)
    options = as_pixel_options(file.dataset, pixel_keyword=file.pixel_keyword)
    options.setdefault("samples_per_pixel", 1)
    unaligned = False
    if file.transfer_syntax.is_encapsulated:
        _check_codestream(file, frame)
    else:
        options["pixel_vr"] = file.pixel_vr
        unaligned = _is_unaligned(file)
        options["correct_unused_bits"] = not unaligned
    plugin = _preferred_plugin(decoder)
    try:
        values, _ = decoder.as_array(file.stream, index=frame, decoding_plugin=plugin, **options)
    except Exception as error:  # the plugins raise whatever their C libraries make of a damaged stream
        if not plugin:
            raise _undecodable(file, error) from error
        try:
            values, _ = decoder.as_array(file.stream, index=frame, **options)
        except Exception as second:
            raise _undecodable(file, second) from second
    return _aligned(values, file) if unaligned else values


def _preferred_plugin(decoder: Decoder) -> str:
    """Return the plugin to try first, empty for pydicom's own order.

    For JPEG 2000 pylibjpeg takes three quarters of the time of the others (a CR image of 1841 by 1955: 0.51 s
    against 0.67 s with Pillow and 0.69 s with GDCM).
    """
    return "pylibjpeg" if decoder.UID in JPEG2000TransferSyntaxes and "pylibjpeg" in decoder.available_plugins else ""


def _check_codestream(file: DicomFile, frame: int) -> None:
    """Refuse a compressed frame whose own size is not the header's, before a decoder takes memory for it."""
    try:
        encoded = get_frame(file.stream, frame, number_of_frames=frame_count(file))
    except (ValueError, EOFError, struct.error, StopIteration) as error:
        raise _undecodable(file, error) from error
    size = declared_size(encoded)
    expected = int(file.dataset.Rows), int(file.dataset.Columns)
    if size is not None and size != expected:
        raise ImagingError(
            f"{file.name} declares {expected[1]} by {expected[0]} pixels, its compressed picture "
            f"{size[1]} by {size[0]}.",
            f"The file is damaged. {_ADVICE}",
        )


def _is_unaligned(file: DicomFile) -> bool:
    """Whether the values do not end at the lowest bit: HighBit is by custom BitsStored - 1, but need not be."""
    if file.pixel_keyword != "PixelData" or file.dataset.get("HighBit") is None:
        return False
    stored, allocated, high = (int(file.dataset[word].value) for word in ("BitsStored", "BitsAllocated", "HighBit"))
    if not stored - 1 <= high < allocated:
        raise ImagingError(f"{file.name} states {stored} bits stored up to bit {high} of {allocated}.", _ADVICE)
    return high != stored - 1


def _aligned(values: NDArray[Any], file: DicomFile) -> NDArray[Any]:
    """Return the stored bits of ``values`` alone, moved down to the lowest bit, with their sign."""
    allocated = int(file.dataset.BitsAllocated)
    raised = np.left_shift(values, allocated - 1 - int(file.dataset.HighBit))
    lowered: NDArray[Any] = np.right_shift(raised, allocated - int(file.dataset.BitsStored))
    return lowered


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
