"""From the bytes of a frame to its samples: which decoder for which transfer syntax, and what when it fails."""

from __future__ import annotations

import json
import math
import struct
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import Decoder, get_decoder
from pydicom.pixels.utils import as_pixel_options
from pydicom.uid import (
    UID,
    JPEG2000TransferSyntaxes,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSTransferSyntaxes,
    RLELossless,
)

from kdistill_core.imaging.codestream import declared_size
from kdistill_core.imaging.dicom_file import DicomFile
from kdistill_core.imaging.errors import ImagingError

# pydicom's plugins in the order they are tried. GDCM, which pydicom would ask first, is left out: it ends the process
# on damaged JPEG headers. On a CR image of 1841 by 1955 pixels the first choices are also the fastest: JPEG 2000
# 0.5 s against 0.7 s with Pillow or GDCM, JPEG-LS 0.4 against 0.6, RLE 0.05 against 0.5.
_PLUGINS: dict[str, tuple[str, ...]] = {
    JPEGBaseline8Bit: ("pillow", "pylibjpeg"),
    JPEGExtended12Bit: ("pylibjpeg", "pillow"),
    JPEGLossless: ("pylibjpeg",),
    JPEGLosslessSV1: ("pylibjpeg",),
    **dict.fromkeys(JPEGLSTransferSyntaxes, ("pyjpegls", "pylibjpeg")),
    **dict.fromkeys(JPEG2000TransferSyntaxes, ("pylibjpeg", "pillow")),
    RLELossless: ("pylibjpeg", "pydicom"),
}
# What GDCM alone reads of what the core installs is decoded in a process of its own.
_BY_GDCM = (JPEGLossless, JPEGLosslessSV1)
_GDCM_SECONDS = 60
_GDCM_NUMBERS = ("rows", "columns", "samples_per_pixel", "bits_allocated", "bits_stored", "pixel_representation")
_END_OF_IMAGE = b"\xff\xd9"


def decode_frame(file: DicomFile, frame: int) -> NDArray[Any]:
    """Return the samples of ``frame``: [rows, columns] or [rows, columns, 3], as integers or floats of the file.

    Unused high bits are cleared and the sign is that of PixelRepresentation. Raises ImagingError.
    """
    try:
        decoder = get_decoder(file.transfer_syntax)
    except NotImplementedError as error:
        raise _no_decoder(file.name, file.transfer_syntax) from error
    options = as_pixel_options(file.dataset, pixel_keyword=file.pixel_keyword)
    options.setdefault("samples_per_pixel", 1)
    if decoder.is_native:
        unaligned = _is_unaligned(file)
        options |= {"pixel_vr": file.pixel_vr, "correct_unused_bits": not unaligned}
        values = _decode_with(decoder, "", file, frame, options)
        return _aligned(values, file) if unaligned else values
    _check_codestream(file, frame)
    plugins = [name for name in _plugins(decoder) if name in decoder.available_plugins]
    failure: Exception | None = None
    for plugin in plugins:
        try:
            return _decode_with(decoder, plugin, file, frame, options)
        except ImagingError as error:
            failure = error
    if file.transfer_syntax in _BY_GDCM and find_spec("gdcm"):
        return _decode_apart(file, frame, options)
    if failure is None or _is_beyond_8_bits(file):
        raise _no_decoder(file.name, file.transfer_syntax) from failure
    raise failure


def _plugins(decoder: Decoder) -> tuple[str, ...]:
    """Return the plugins to try; for a syntax that is new to this table whatever pydicom has for it, but GDCM."""
    known = _PLUGINS.get(decoder.UID)
    return known if known is not None else tuple(name for name in decoder.available_plugins if name != "gdcm")


def _decode_with(decoder: Decoder, plugin: str, file: DicomFile, frame: int, options: dict[str, Any]) -> NDArray[Any]:
    try:
        values, _ = decoder.as_array(file.stream, index=frame, decoding_plugin=plugin, **options)
    except Exception as error:  # plugins raise whatever their C libraries make of a damaged stream
        raise _undecodable(file) from error
    except BaseException as error:
        # A panic in pylibjpeg-rle, which is written in Rust, arrives as an exception that is no Exception.
        if type(error).__name__ != "PanicException":
            raise
        raise _undecodable(file) from error
    return values


def _decode_apart(file: DicomFile, frame: int, options: dict[str, Any]) -> NDArray[Any]:
    """Decode with GDCM in a process of its own, whose end is then a message and not our end."""
    numbers = {key: int(options[key]) for key in _GDCM_NUMBERS}
    words = {
        "transfer_syntax": str(file.transfer_syntax),
        "photometric_interpretation": str(options["photometric_interpretation"]),
    }
    # -P keeps this package's folder off the child's import path.
    command = [sys.executable, "-P", str(Path(__file__).with_name("gdcm_child.py"))]
    sent = json.dumps(numbers | words).encode() + b"\n" + _encoded(file, frame)
    try:
        child = subprocess.run(command, input=sent, capture_output=True, timeout=_GDCM_SECONDS, check=True)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise _undecodable(file) from error
    samples, allocated = numbers["samples_per_pixel"], numbers["bits_allocated"]
    shape = (numbers["rows"], numbers["columns"]) + ((samples,) if samples > 1 else ())
    dtype = np.dtype(f"{'ui'[numbers['pixel_representation']]}{allocated // 8}")
    if len(child.stdout) < math.prod(shape) * dtype.itemsize:
        raise _undecodable(file)
    values = np.frombuffer(child.stdout, dtype, count=math.prod(shape)).reshape(shape)
    unused = allocated - numbers["bits_stored"]
    return np.right_shift(np.left_shift(values, unused), unused) if unused else values


def _encoded(file: DicomFile, frame: int) -> bytes:
    """Return the compressed bytes of ``frame``. Raises ImagingError."""
    try:
        return get_frame(file.stream, frame, number_of_frames=int(file.dataset.get("NumberOfFrames") or 1))
    except (ValueError, EOFError, struct.error, StopIteration, IndexError) as error:
        raise _undecodable(file) from error


def _check_codestream(file: DicomFile, frame: int) -> None:
    """Refuse a compressed frame whose own size is not the header's, before a decoder takes memory for it."""
    encoded = _encoded(file, frame)
    # CharLS spends 20 seconds on a small picture that is cut short; whole ones end in this marker and its padding.
    if file.transfer_syntax in JPEGLSTransferSyntaxes and _END_OF_IMAGE not in encoded[-16:]:
        raise ImagingError(
            f"{file.name} is truncated: its compressed picture has no end.", "Copy the file again from where it came."
        )
    size = declared_size(encoded)
    expected = int(file.dataset.Rows), int(file.dataset.Columns)
    if size is not None and size != expected:
        raise ImagingError(
            f"{file.name} declares {expected[1]} by {expected[0]} pixels, its compressed picture "
            f"{size[1]} by {size[0]}.",
            "The file is damaged: export the image again from where it came.",
        )


def _is_unaligned(file: DicomFile) -> bool:
    """Whether the values do not end at the lowest bit: HighBit is by custom BitsStored - 1, but need not be."""
    if file.pixel_keyword != "PixelData" or file.dataset.get("HighBit") is None:
        return False
    stored, allocated, high = (int(file.dataset[word].value) for word in ("BitsStored", "BitsAllocated", "HighBit"))
    if not stored - 1 <= high < allocated:
        raise ImagingError(
            f"{file.name} states {stored} bits stored up to bit {high} of {allocated}.",
            "Export the image again from where it came.",
        )
    return high != stored - 1


def _aligned(values: NDArray[Any], file: DicomFile) -> NDArray[Any]:
    """Return the stored bits of ``values`` alone, moved down to the lowest bit, with their sign."""
    allocated = int(file.dataset.BitsAllocated)
    raised = np.left_shift(values, allocated - 1 - int(file.dataset.HighBit))
    lowered: NDArray[Any] = np.right_shift(raised, allocated - int(file.dataset.BitsStored))
    return lowered


def _is_beyond_8_bits(file: DicomFile) -> bool:
    return bool(file.transfer_syntax == JPEGExtended12Bit and int(file.dataset.BitsStored) > 8)


def _undecodable(file: DicomFile) -> ImagingError:
    return ImagingError(
        f"{file.name} holds pixel data that no decoder for {file.transfer_syntax.name} could read.",
        "The file is truncated or damaged; copy it again.",
    )


def _no_decoder(name: str, syntax: UID) -> ImagingError:
    problem = f"{name} is compressed as {syntax.name} ({syntax}), which no installed decoder reads."
    if syntax == JPEGExtended12Bit:
        return ImagingError(problem, 'Install pylibjpeg-libjpeg (GPLv3): pip install "kdistill[jpeg-extended]".')
    if syntax in _BY_GDCM:
        return ImagingError(problem, "Install python-gdcm: pip install python-gdcm.")
    return ImagingError(
        problem, "Convert it with gdcmconv --raw or dcmdjpeg, or ask the archive for an uncompressed copy."
    )
