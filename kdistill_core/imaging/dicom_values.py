"""From stored values to modality values, and what the header says of showing them.

The order of DICOM PS3.3 C.11 is kept: stored values, padding mask, modality LUT or rescale; windows and VOI LUTs are
returned for :mod:`kdistill_core.imaging.display` to apply, and the polarity is resolved to one flag.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from kdistill_core.imaging.errors import ImagingError
from kdistill_core.records import VoiFunction, VoiLut, Window


def functional_group(dataset: Dataset, frame: int, keyword: str) -> Dataset:
    """Return the item of a functional group macro for ``frame``, or the data set itself where there is none.

    Enhanced multi-frame objects keep per frame what others keep in the header (PS3.3 C.7.6.16).
    """
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence") or []
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    for group in (*per_frame[frame : frame + 1], *shared[:1]):
        items = group.get(keyword)
        if items:
            item: Dataset = items[0]
            return item
    return dataset


def padding_mask(stored: NDArray[Any], dataset: Dataset) -> NDArray[np.bool_] | None:
    """Return where ``stored`` is padding (PixelPaddingValue, PixelPaddingRangeLimit), or None where nothing is."""
    value = dataset.get("PixelPaddingValue")
    if not _is_number(value):
        return None
    limit = dataset.get("PixelPaddingRangeLimit")
    low, high = sorted((int(value), int(limit if _is_number(limit) else value)))
    mask: NDArray[np.bool_] = stored == low if low == high else (stored >= low) & (stored <= high)
    return mask if mask.any() else None


def modality_values(stored: NDArray[Any], dataset: Dataset, frame: int, name: str) -> NDArray[np.float32]:
    """Return float32 values in modality units: through the modality LUT, else slope and intercept, else as stored."""
    luts = dataset.get("ModalityLUTSequence")
    if luts:
        lut = read_lut(luts[0], signed=bool(dataset.get("PixelRepresentation")), name=name)
        index = np.clip(stored.astype(np.int64) - lut.first_mapped, 0, len(lut.values) - 1)
        return lut.values.astype(np.float32)[index]
    where = functional_group(dataset, frame, "PixelValueTransformationSequence")
    slope, intercept = where.get("RescaleSlope"), where.get("RescaleIntercept")
    slope = float(slope) if _is_number(slope) else 1.0
    intercept = float(intercept) if _is_number(intercept) else 0.0
    if slope == 0:
        raise ImagingError(f"{name} states a rescale slope of 0.", "Export the image again from where it came.")
    if slope == 1 and intercept == 0:
        return stored.astype(np.float32)
    if stored.dtype.itemsize > 2:
        # float32 holds 24 bits exactly; wider values are scaled before they are rounded.
        return (stored.astype(np.float64) * slope + intercept).astype(np.float32)
    values = stored.astype(np.float32)
    values *= np.float32(slope)
    values += np.float32(intercept)
    return values


def is_inverted(dataset: Dataset) -> bool:
    """Return whether low values are to be shown bright.

    MONOCHROME1 and a presentation LUT shape of INVERSE say the same thing and are required together (PS3.3
    C.11.6.1.1), so both invert once.
    """
    return (
        str(dataset.get("PhotometricInterpretation", "")) == "MONOCHROME1"
        or str(dataset.get("PresentationLUTShape", "")) == "INVERSE"
    )


def windows(dataset: Dataset, frame: int) -> tuple[Window, ...]:
    """Return the windows of a frame, in the file's order; impossible ones are left out."""
    where = functional_group(dataset, frame, "FrameVOILUTSequence")
    names = [str(name) for name in _many(where.get("WindowCenterWidthExplanation"))]
    function = _voi_function(where.get("VOILUTFunction"))
    # C.11.2.1.2: LINEAR asks for a width of at least 1, the others for one above 0.
    least = 1.0 if function is VoiFunction.LINEAR else np.nextafter(0.0, 1.0)
    found = []
    for index, (center, width) in enumerate(
        zip(_many(where.get("WindowCenter")), _many(where.get("WindowWidth")), strict=False)
    ):
        if _is_number(center) and _is_number(width) and float(width) >= least:
            name = names[index] if index < len(names) and names[index] else f"Window {index + 1}"
            found.append(Window(float(center), float(width), name, function))
    return tuple(found)


def voi_luts(dataset: Dataset, frame: int, name: str) -> tuple[VoiLut, ...]:
    """Return the VOI LUTs of a frame, in the file's order."""
    items = dataset.get("VOILUTSequence") or functional_group(dataset, frame, "FrameVOILUTSequence").get(
        "VOILUTSequence"
    )
    # C.11.2.1.1: the first value mapped is signed where the values it applies to may be negative.
    signed = bool(dataset.get("PixelRepresentation")) or _may_be_negative(dataset)
    return tuple(read_lut(item, signed=signed, name=name) for item in items or [])


def read_lut(item: Dataset, *, signed: bool, name: str) -> VoiLut:
    """Return a LUT item (PS3.3 C.11.1.1.1, C.11.2.1.1). Raises ImagingError where descriptor and data disagree."""
    descriptor = [int(value) for value in _many(item.get("LUTDescriptor"))]
    if len(descriptor) != 3:
        raise ImagingError(f"{name} holds a lookup table without a descriptor.", "Export the image again.")
    entries, first, bits = descriptor
    entries = entries or 2**16
    if signed and first >= 2**15:
        first -= 2**16
    if not 1 <= bits <= 16:
        raise ImagingError(f"{name} holds a lookup table of {bits} bits an entry.", "Export the image again.")
    values = _lut_data(item, entries)
    if len(values) < entries:
        raise ImagingError(
            f"{name} holds a lookup table of {len(values)} entries where {entries} are declared.",
            "Export the image again.",
        )
    return VoiLut(first, values[:entries], bits, str(item.get("LUTExplanation", "") or ""))


def _lut_data(item: Dataset, entries: int) -> NDArray[np.uint16]:
    data = item.get("LUTData")
    if not isinstance(data, bytes):
        return np.asarray(_many(data), dtype=np.int64).astype(np.uint16)
    # 8-bit entries come packed two to a word, or one to a word: the length tells.
    if len(data) < 2 * entries:
        return np.frombuffer(data, np.uint8).astype(np.uint16)
    order = "<" if item.is_little_endian is not False else ">"
    return np.frombuffer(data[: len(data) // 2 * 2], order + "u2").astype(np.uint16)


def _may_be_negative(dataset: Dataset) -> bool:
    intercept = dataset.get("RescaleIntercept")
    return _is_number(intercept) and float(intercept) < 0


def _voi_function(value: Any) -> VoiFunction:
    try:
        return VoiFunction(str(value))
    except ValueError:
        # Absent, or a private word: the standard's default.
        return VoiFunction.LINEAR


def _many(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return list(value)
    return [value]


def _is_number(value: Any) -> bool:
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError):
        return False
