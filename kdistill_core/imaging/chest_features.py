"""What the screening looks at: where a picture is bright, and which way its edges run, on a coarse grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Changes with anything below, so that fitted weights are never used with other features.
FEATURES = "ranks-edges-1"

_WORKING_SIDE = 96
_RANK_SIDE = 24
_EDGE_SIDE = 64
_CELL = 8
_DIRECTIONS = 8
# A border line belongs to a collimator or a scanner's frame when its values differ by less than this part of the
# picture's range; at most _LARGEST_BORDER of a side is taken for a border.
_BORDER_RANGE = 0.05
_LARGEST_BORDER = 0.35


def chest_features(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the features of a picture, float32 [1088].

    picture: float32 [rows, columns] in [0, 1], dense tissue bright. Uniform borders are cut off and the rest is
    squeezed to a square. The first 576 features are the ranks of 24 by 24 gray values, which no window or gamma can
    change; the other 512 say how much edge runs in each of 8 directions in each of 8 by 8 cells (Dalal and Triggs,
    CVPR 2005, with signed directions: dark lungs beside a bright heart are not the same as the reverse).
    """
    inner = _without_borders(_resized(picture, _WORKING_SIDE))
    return np.concatenate([_ranks(_resized(inner, _RANK_SIDE)), _edges(_resized(inner, _EDGE_SIDE))])


def _resized(picture: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    from PIL import Image  # the viewer imports this package and need not wait for it

    image = Image.fromarray(np.ascontiguousarray(picture, dtype=np.float32))
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR), dtype=np.float32)


def _without_borders(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = np.percentile(picture, (1, 99))
    uniform = _BORDER_RANGE * max(float(high - low), 1e-6)
    top, bottom = _border_lines(picture, uniform)
    left, right = _border_lines(picture.T, uniform)
    return picture[top : picture.shape[0] - bottom, left : picture.shape[1] - right]


def _border_lines(picture: NDArray[np.float32], uniform: float) -> tuple[int, int]:
    """Return how many uniform lines lie at the start and at the end of the first axis."""
    # Percentiles, because a marker or an edge of the film may stand in the border.
    low, high = np.percentile(picture, (8, 92), axis=1)
    structured = np.flatnonzero(high - low > uniform)
    if structured.size == 0:
        return 0, 0
    most = int(_LARGEST_BORDER * len(picture))
    return min(int(structured[0]), most), min(len(picture) - 1 - int(structured[-1]), most)


def _ranks(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the rank of each gray value, in [-0.5, 0.5]; equal values share their middle rank."""
    _, position, counts = np.unique(picture.ravel(), return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middle = (ends - (counts + 1) / 2) / max(picture.size - 1, 1)
    return (middle[position] - 0.5).astype(np.float32)


def _edges(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    down, across = np.gradient(picture)
    strength = np.hypot(across, down)
    direction = np.floor((np.arctan2(down, across) / (2 * np.pi) % 1.0) * _DIRECTIONS).astype(int) % _DIRECTIONS
    cells = _EDGE_SIDE // _CELL
    where = np.arange(_EDGE_SIDE) // _CELL
    histogram = np.zeros((cells, cells, _DIRECTIONS), dtype=np.float64)
    np.add.at(histogram, (where[:, None], where[None, :], direction), strength)
    # The contrast of the whole picture goes out, that between its parts stays damped by the root.
    histogram = np.sqrt(histogram / max(float(histogram.sum()), 1e-9))
    return histogram.ravel().astype(np.float32)
