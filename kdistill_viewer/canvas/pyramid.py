"""Smaller copies of an image for zoomed-out views, so that painting costs screen pixels and not image pixels.

Level ``k`` has one value for each block of 2**k by 2**k image pixels, counted from the image's first corner; where
the size is no multiple of the block, the last block is filled up from the image's edge.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from kdistill_core.records import Radiograph

_Value = TypeVar("_Value", bound=np.generic)


def level_for(zoom: float) -> int:
    """Return the coarsest level that still has a value or more for every device pixel at ``zoom``."""
    return max(0, math.floor(math.log2(1 / zoom) + 1e-9))


class RadiographPyramid:
    """A radiograph and its reduced copies, made when first asked for.

    Reduction averages modality values before the window is applied, leaving out padding: the mean of a block is what a
    coarser detector would have measured. A block is padding only where all of it is.
    """

    def __init__(self, radiograph: Radiograph) -> None:
        self._levels = [radiograph]

    def level(self, index: int) -> Radiograph:
        """Return the radiograph reduced ``index`` times by two."""
        while len(self._levels) <= index:
            self._levels.append(_halved(self._levels[-1]))
        return self._levels[index]


class MaximumPyramid:
    """A map of bytes and its reduced copies, each block by its maximum, so that no peak vanishes when zoomed out."""

    def __init__(self, values: NDArray[np.uint8]) -> None:
        self._levels = [values]

    def level(self, index: int) -> NDArray[np.uint8]:
        """Return uint8 [ceil(rows / 2**index), ceil(columns / 2**index)]."""
        while len(self._levels) <= index:
            a, b, c, d = _quarters(self._levels[-1])
            self._levels.append(np.maximum(np.maximum(a, b), np.maximum(c, d)))
        return self._levels[index]


def _quarters(values: NDArray[_Value]) -> tuple[NDArray[_Value], NDArray[_Value], NDArray[_Value], NDArray[_Value]]:
    """Return the four pixels of each block of two by two, one array for each place in the block."""
    rows, columns = values.shape
    if rows % 2 or columns % 2:
        values = np.pad(values, ((0, rows % 2), (0, columns % 2)), mode="edge")
    return values[::2, ::2], values[::2, 1::2], values[1::2, ::2], values[1::2, 1::2]


def _halved(radiograph: Radiograph) -> Radiograph:
    if radiograph.padding is None:
        a, b, c, d = _quarters(radiograph.pixels)
        return replace(radiograph, pixels=(a + b + c + d) * np.float32(0.25))
    seen = [~quarter for quarter in _quarters(radiograph.padding)]
    total = np.zeros(seen[0].shape, np.float32)
    count = np.zeros(seen[0].shape, np.float32)
    for quarter, is_seen in zip(_quarters(radiograph.pixels), seen, strict=True):
        total += np.where(is_seen, quarter, np.float32(0))
        count += is_seen
    padding = count == 0
    first = _quarters(radiograph.pixels)[0]
    mean = np.where(padding, first, total / np.maximum(count, 1))
    return replace(radiograph, pixels=mean.astype(np.float32), padding=padding)
