"""From a radiograph to the square a model sees, and from a map on that square back to the radiograph.

The picture keeps its aspect: it is padded to a square with black, values normalized, and resampled with
antialiasing. The affine between image and model coordinates goes along, so that whatever a model says about a place
can be said about the original pixel.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kdistill_core.imaging.display import default_window, sample_values
from kdistill_core.imaging.geometry import Affine, scaling, translation
from kdistill_core.imaging.voi import apply_lut, apply_window
from kdistill_core.records import Radiograph

# Changes whenever the pixels a model would get change, so that results can be told apart.
PREPROCESSING = "window-percentile-square-1"

# The darkest and brightest thousandths carry markers, collimator edges and dead pixels.
_PERCENTILES = (0.5, 99.5)


@dataclass(frozen=True, eq=False)
class ModelInput:
    """What a model gets of one radiograph.

    pixels: float32 [size, size] in [0, 1], dense tissue bright whatever the file's polarity; 0 outside the picture.
    image_to_model: from original image coordinates to those of ``pixels``.
    """

    pixels: NDArray[np.float32]
    image_to_model: Affine


def preprocessing_sha256(size: int) -> str:
    """Return the hash that identifies this preprocessing at this input size."""
    identity = {"name": PREPROCESSING, "size": size, "percentiles": _PERCENTILES}
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def to_model_input(radiograph: Radiograph, size: int, detail: int | None = None) -> ModelInput:
    """Return ``radiograph`` as a square of ``size`` pixels a side, aspect kept, with the affine that leads there.

    detail: for training sets of several resolutions, pixels a side of which the square shows no more: a finer picture
    is first reduced to as many, about as sharply as the collections that hand out small pictures do.
    """
    from PIL import Image  # the viewer imports this module and need not wait for it

    rows, columns = radiograph.pixels.shape
    side = max(rows, columns)
    top, left = (side - rows) // 2, (side - columns) // 2
    square = np.zeros((side, side), dtype=np.float32)
    square[top : top + rows, left : left + columns] = normalized(radiograph)
    picture = Image.fromarray(square)
    if detail is not None and detail < side:
        picture = picture.resize((detail, detail), Image.Resampling.LANCZOS)
    resampled = picture.resize((size, size), Image.Resampling.BILINEAR)
    pixels = np.clip(np.asarray(resampled, dtype=np.float32), 0.0, 1.0)
    factor = size / side
    return ModelInput(pixels, translation(left, top).then(scaling(factor, factor)))


def normalized(radiograph: Radiograph) -> NDArray[np.float32]:
    """Return the picture as float32 [rows, columns] in [0, 1] with dense tissue bright and padding 0.

    The file's window or LUT comes first, since for many detectors it carries the tone curve; percentiles then take
    what is left of exposure and bit depth out.
    """
    window = default_window(radiograph)
    if window.voi_lut is None:
        shown = apply_window(radiograph.pixels, window)
        sample = apply_window(sample_values(radiograph), window)
    else:
        lut = radiograph.voi_luts[window.voi_lut]
        shown = apply_lut(radiograph.pixels, lut, window)
        sample = apply_lut(sample_values(radiograph), lut, window)
    low, high = (float(value) for value in np.percentile(sample, _PERCENTILES))
    shown -= np.float32(low)
    shown *= np.float32(1.0 / (high - low) if high > low else 0.0)
    np.clip(shown, 0.0, 1.0, out=shown)
    if radiograph.inverted:
        np.subtract(np.float32(1.0), shown, out=shown)
    if radiograph.padding is not None:
        shown[radiograph.padding] = 0.0
    return shown


def map_to_image(
    values: NDArray[np.float32], model_input_size: int, image_to_model: Affine, rows: int, columns: int
) -> NDArray[np.float32]:
    """Return a map on the model's grid resampled onto the original image.

    values: float32 [h, w], each cell covering an equal part of the model's input of ``model_input_size`` pixels.
    Returns float32 [rows, columns]; bilinear between cell centers, constant beyond the outermost, and averaged where
    the map is finer than the image. Raises ValueError for an affine that turns or shears.
    """
    if not image_to_model.is_axis_aligned:
        raise ValueError("The map from image to model turns or shears; only scaling and shifting are supported.")
    grid_rows, grid_columns = values.shape
    to_grid = image_to_model.then(scaling(grid_columns / model_input_size, grid_rows / model_input_size))
    (scale_x, _, shift_x), (_, scale_y, shift_y) = to_grid.matrix
    across = _interpolation(np.arange(columns) * scale_x + shift_x, abs(scale_x), grid_columns)
    down = _interpolation(np.arange(rows) * scale_y + shift_y, abs(scale_y), grid_rows)
    mapped: NDArray[np.float32] = down @ values.astype(np.float32) @ across.T
    return mapped


def _interpolation(positions: NDArray[np.float64], step: float, cells: int) -> NDArray[np.float32]:
    """Return the weights float32 [positions, cells] of a triangle filter at ``positions`` on a grid of ``cells``."""
    inside = np.clip(positions, 0, cells - 1)
    support = max(1.0, step)
    weights = np.maximum(0.0, 1.0 - np.abs(inside[:, None] - np.arange(cells)[None, :]) / support)
    weights /= weights.sum(axis=1, keepdims=True)
    narrow: NDArray[np.float32] = weights.astype(np.float32)
    return narrow
