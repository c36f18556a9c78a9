"""Color pictures: gray in fact, or refused."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kdistill_core.imaging.errors import ImagingError

# Lossy compression of a gray picture as color moves the channels apart by a few gray levels at edges.
_TOLERANCE = 12
# A colored marker or a burnt-in logo covers less than this part of a radiograph that someone saved as color.
_COLORED_FRACTION = 0.005


def gray_of(rgb: NDArray[np.unsignedinteger], name: str) -> NDArray[np.unsignedinteger]:
    """Return the gray picture that ``rgb`` is in fact.

    rgb: unsigned [rows, columns, 3]; the tolerance is scaled to the type's range. Returns the middle of the three
    channels, of the same type. Raises ImagingError where the picture is colored.
    """
    scale = np.iinfo(rgb.dtype).max / 255
    spread = rgb.max(axis=2) - rgb.min(axis=2)
    if np.mean(spread > _TOLERANCE * scale) > _COLORED_FRACTION:
        raise ImagingError(
            f"{name} is a color picture, not a radiograph.", "A radiograph is gray; choose the original image."
        )
    low, high = rgb.min(axis=2), rgb.max(axis=2)
    middle: NDArray[np.unsignedinteger] = low + (high - low) // 2
    return middle
