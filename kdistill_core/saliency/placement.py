"""From a map on the model's grid to an overlay on the original image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kdistill_core.imaging.geometry import Affine
from kdistill_core.imaging.model_input import map_to_image

# Outside every image: no tool takes it for a place, and a peak that is nowhere never counts as a hit.
NOWHERE = (-1.0, -1.0)
NOTHING_FOUND = "Nothing in the image spoke for this, so there is no overlay to show."


@dataclass(frozen=True, eq=False)
class PlacedMap:
    """An overlay in the geometry of the original image.

    values: float32 [rows, columns] in [0, 1]; 1 is the map's own maximum, all zero where nothing spoke for the target.
    peak: (x, y) of the maximum, ``NOWHERE`` for a map of zeros.
    note: what has to be said of the map in plain words, empty where nothing has.
    """

    values: NDArray[np.float32]
    peak: tuple[float, float]
    note: str = ""


def place_on_image(
    grid: NDArray[np.float32],
    model_input_size: int,
    image_to_model: Affine,
    shape: tuple[int, int],
    padding: NDArray[np.bool_] | None = None,
) -> PlacedMap:
    """Return ``grid`` (float32 [h, w] on the model's grid, of either sign) as an overlay on an image of ``shape``.

    What speaks against the target (negative values) is left out, and so is everything outside the picture: the
    margin that squares the model's input, and ``padding`` (bool [rows, columns]), where the detector saw nothing.
    """
    values = map_to_image(np.maximum(grid, 0.0), model_input_size, image_to_model, *shape)
    if padding is not None:
        values = np.where(padding, np.float32(0.0), values)
    maximum = float(values.max())
    # Dividing by less than the smallest normal number would overflow; such a map is zero in all but name.
    if maximum < np.finfo(np.float32).tiny:
        return PlacedMap(np.zeros(shape, np.float32), NOWHERE, NOTHING_FOUND)
    values = (values / np.float32(maximum)).astype(np.float32)
    return PlacedMap(values, _peak(values))


def _peak(values: NDArray[np.float32]) -> tuple[float, float]:
    """Return (x, y) of the maximum; of a plateau, as at the margin of the grid, its middle."""
    y, x = (int(index) for index in np.unravel_index(int(np.argmax(values)), values.shape))
    # Interpolation is separable, so that a plateau is a rectangle, and its first pixel is its corner.
    high = values >= 1.0 - 1e-6
    last_x = x + _run(high[y, x:])
    last_y = y + _run(high[y:, x])
    return (x + last_x) / 2, (y + last_y) / 2


def _run(high: NDArray[np.bool_]) -> int:
    """Return how many pixels after the first are high without a gap."""
    return int(len(high) if high.all() else np.argmin(high)) - 1
