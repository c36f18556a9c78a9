"""The picture on the screen: which windows a radiograph offers, and its gray values through one of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kdistill_core.imaging.voi import apply_lut, apply_window, lut_window
from kdistill_core.records import Radiograph, VoiFunction, Window

FULL_RANGE = "Full range"
AUTOMATIC = "Automatic"

# The middle 99 % of the values: collimator edges, markers and dead pixels seldom cover more than the rest.
_AUTOMATIC_PERCENTILES = (0.5, 99.5)
# Percentiles are read from a grid of at most about this many pixels; on a radiograph more changes nothing visible.
_SAMPLE_PIXELS = 400_000
# Rows are rendered in strips that stay in the processor's cache, which halves the time of a large picture.
_STRIP_PIXELS = 64 * 1024


def presets(radiograph: Radiograph) -> tuple[Window, ...]:
    """Return the windows to offer: the file's LUTs and windows first, then computed ones; never empty."""
    luts = tuple(lut_window(lut, index) for index, lut in enumerate(radiograph.voi_luts))
    return (*luts, *radiograph.windows, automatic_window(radiograph), full_window(radiograph))


def default_window(radiograph: Radiograph) -> Window:
    """Return the window to open with: the file's first where it shows anything, else the automatic one.

    A file's window that leaves more than nine tenths of the picture at black or at white is passed over: such
    headers come from software that changed the values and kept the window.
    """
    given = [
        *(lut_window(lut, index) for index, lut in enumerate(radiograph.voi_luts)),
        *radiograph.windows,
    ]
    sample = sample_values(radiograph)
    for window in given:
        shown = _voi(sample, radiograph, window)
        if np.mean((shown > 0.5) & (shown < 254.5)) >= 0.1:
            return window
    return automatic_window(radiograph)


def automatic_window(radiograph: Radiograph) -> Window:
    """Return the window over the middle 99 % of the values outside the padding."""
    low, high = np.percentile(sample_values(radiograph), _AUTOMATIC_PERCENTILES)
    return _exact_window(float(low), float(high), AUTOMATIC)


def full_window(radiograph: Radiograph) -> Window:
    """Return the window from the least to the greatest value outside the padding."""
    seen = radiograph.pixels if radiograph.padding is None else radiograph.pixels[~radiograph.padding]
    if seen.size == 0:
        seen = radiograph.pixels
    return _exact_window(float(seen.min()), float(seen.max()), FULL_RANGE)


def sample_values(radiograph: Radiograph) -> NDArray[np.float32]:
    """Return values from a regular grid over the picture outside its padding: float32 [n], n at least 1."""
    step = max(1, int(np.sqrt(radiograph.pixels.size / _SAMPLE_PIXELS)))
    grid = radiograph.pixels[::step, ::step]
    if radiograph.padding is None:
        return grid.ravel()
    seen = grid[~radiograph.padding[::step, ::step]]
    return seen if seen.size else grid.ravel()


def render(radiograph: Radiograph, window: Window, *, invert: bool = False) -> NDArray[np.uint8]:
    """Return the gray values to show: uint8 [rows, columns], 0 black.

    The order is that of DICOM PS3.3 C.11 and PS3.4 N.2: the modality values go through the window, then the
    photometric inversion of the file, then that of the reader (``invert``). Padding stays black whatever the polarity.
    """
    rows, columns = radiograph.pixels.shape
    out = np.empty((rows, columns), dtype=np.uint8)
    negative = radiograph.inverted != invert
    step = max(1, _STRIP_PIXELS // columns)
    for start in range(0, rows, step):
        strip = _voi(radiograph.pixels[start : start + step], radiograph, window)
        if negative:
            np.subtract(np.float32(255), strip, out=strip)
        strip += np.float32(0.5)
        out[start : start + step] = strip
    if radiograph.padding is not None:
        out[radiograph.padding] = 0
    return out


def _voi(values: NDArray[np.float32], radiograph: Radiograph, window: Window) -> NDArray[np.float32]:
    if window.voi_lut is not None:
        return apply_lut(values, radiograph.voi_luts[window.voi_lut], window)
    return apply_window(values, window)


def _exact_window(low: float, high: float, name: str) -> Window:
    # A constant picture still needs a positive width.
    width = high - low if high > low else 1.0
    return Window(center=(low + high) / 2, width=width, name=name, function=VoiFunction.LINEAR_EXACT)
