"""Values of interest: from modality values to display values by the functions of DICOM PS3.3 C.11.2.

Everything here maps float32 modality values to float32 display values in [0, 255].
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kdistill_core.records import VoiFunction, VoiLut, Window

DISPLAY_MAXIMUM = 255.0


def apply_window(values: NDArray[np.float32], window: Window) -> NDArray[np.float32]:
    """Return ``values`` through a LINEAR, LINEAR_EXACT or SIGMOID window, in [0, 255], in a new array of same shape.

    C.11.2.1.2.1 (LINEAR), C.11.2.1.3.1 (SIGMOID), C.11.2.1.3.2 (LINEAR_EXACT).
    """
    if window.function is VoiFunction.SIGMOID:
        return _sigmoid(values, window)
    center, width = window.center, window.width
    if window.function is VoiFunction.LINEAR:
        # A LINEAR window of width w covers w integer values, hence the half and the one.
        center, width = center - 0.5, width - 1.0
    if width <= 0:
        return np.where(values > center, np.float32(DISPLAY_MAXIMUM), np.float32(0))
    out = values - np.float32(center - width / 2)
    out *= np.float32(DISPLAY_MAXIMUM / width)
    np.clip(out, 0, DISPLAY_MAXIMUM, out=out)
    return out


def _sigmoid(values: NDArray[np.float32], window: Window) -> NDArray[np.float32]:
    out = values - np.float32(window.center)
    out *= np.float32(-4.0 / window.width)
    # exp overflows float32 beyond 88; the display value has long been 0 or 255 there.
    np.clip(out, -80, 80, out=out)
    np.exp(out, out=out)
    out += 1
    np.divide(np.float32(DISPLAY_MAXIMUM), out, out=out)
    return out


def lut_window(lut: VoiLut, index: int) -> Window:
    """Return the window that stands for VOI LUT ``index`` of a radiograph: it spans the LUT's own domain."""
    span = max(len(lut.values) - 1, 1)
    return Window(
        center=lut.first_mapped + span / 2,
        width=float(span),
        name=lut.name or f"LUT {index + 1}",
        function=VoiFunction.LINEAR_EXACT,
        voi_lut=index,
    )


def apply_lut(values: NDArray[np.float32], lut: VoiLut, window: Window) -> NDArray[np.float32]:
    """Return ``values`` through a VOI LUT, in [0, 255], in a new array of the same shape.

    The LUT's domain is laid over the window, so that :func:`lut_window` gives the LUT as the file states it and a
    wider or shifted window stretches or moves its curve. Values outside take its first or last entry (C.11.2.1.1).
    """
    entries = len(lut.values)
    table = lut.values.astype(np.float32) * np.float32(DISPLAY_MAXIMUM / (2**lut.bits - 1))
    np.clip(table, 0, DISPLAY_MAXIMUM, out=table)
    position = values - np.float32(window.center - window.width / 2)
    position *= np.float32(max(entries - 1, 1) / window.width)
    np.rint(position, out=position)
    np.clip(position, 0, entries - 1, out=position)
    return table[position.astype(np.intp)]
