"""Masks as run lengths, as COCO writes them (Lin et al., ECCV 2014): plain or packed into a string.

Runs go down the columns, the first of zeros. The packed form writes each run as the difference from the run two before
it (from the fourth on), as a little-endian number in groups of five bits, the highest bit of the last group its sign;
each group is one character from ``0`` to ``o``, its sixth bit saying that another follows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from kdistill_core.records import RunLengthMask

_FIRST, _LAST = ord("0"), ord("o")
_BITS, _MORE, _SIGN = 5, 0x20, 0x10
_PLAIN_RUNS = 3  # written as they are


def unpacked(size: tuple[int, int], counts: str) -> RunLengthMask:
    """Return the mask of ``size`` (rows, columns) behind COCO's string.

    Raises ValueError for a string that is none and for one that does not fill ``size``.
    """
    runs: list[int] = []
    for number in _numbers(counts):
        runs.append(number + runs[-2] if len(runs) >= _PLAIN_RUNS else number)
    if any(run < 0 for run in runs) or sum(runs) != size[0] * size[1]:
        raise ValueError(f"the run lengths do not fill {size[0]} x {size[1]} pixels")
    return RunLengthMask(size, tuple(runs))


def _numbers(counts: str) -> list[int]:
    numbers: list[int] = []
    value = shift = 0
    for character in counts:
        group = ord(character) - _FIRST
        if not _FIRST <= ord(character) <= _LAST:
            raise ValueError(f"{character!r} does not occur in packed run lengths")
        value |= (group & (_MORE - 1)) << shift
        shift += _BITS
        if not group & _MORE:
            numbers.append(value - (1 << shift) if group & _SIGN else value)
            value = shift = 0
    if shift:
        raise ValueError("the packed run lengths are cut off")
    return numbers


def mask_of_array(pixels: NDArray[np.bool_]) -> RunLengthMask:
    """Return the run lengths of a mask, bool [rows, columns]."""
    down = pixels.ravel(order="F")
    edges = np.flatnonzero(np.diff(down)) + 1
    starts = np.concatenate([[0], edges, [down.size]])
    runs = [int(run) for run in np.diff(starts)]
    rows, columns = pixels.shape
    return RunLengthMask((rows, columns), tuple([0, *runs] if down.size and down[0] else runs))


def array_of_mask(mask: RunLengthMask) -> NDArray[np.bool_]:
    """Return a mask as bool [rows, columns]. Raises ValueError for runs that do not fill its size."""
    values = np.arange(len(mask.runs)) % 2 == 1
    return np.repeat(values, mask.runs).reshape(mask.size, order="F")


def is_empty(mask: RunLengthMask) -> bool:
    """Return whether nothing is marked."""
    return not any(mask.runs[1::2])


def mask_of_contours(size: tuple[int, int], contours: Sequence[Sequence[tuple[float, float]]]) -> RunLengthMask:
    """Return the mask of ``size`` (rows, columns) that closed contours of points (x, y) enclose, their lines included.

    Drawn with Pillow, as CheXlocalize's publishers draw theirs. A contour of fewer than two points encloses nothing.
    """
    rows, columns = size
    canvas = Image.new("1", (columns, rows))
    draw = ImageDraw.Draw(canvas)
    for contour in contours:
        if len(contour) > 1:
            draw.polygon([tuple(point) for point in contour], outline=1, fill=1)
    return mask_of_array(np.asarray(canvas, dtype=np.bool_))
