"""The pixel grid of a simulation and what can be laid on it: projected points, noise lattices, blur.

Every map of the phantom is a float32 array [rows, columns] of path lengths in mm along the beam. Positions are in mm
in the detector plane scaled back to the patient's middle: x to the patient's left (the picture's right), y downwards,
(0, 0) at the carina of an average adult.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter

Map = NDArray[np.float32]
Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Grid:
    """Rows and columns with their positions; x is [1, columns], y is [rows, 1], both in mm."""

    rows: int
    columns: int
    pitch_mm: float
    x: Map
    y: Map

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows, self.columns

    def zeros(self) -> Map:
        return np.zeros(self.shape, np.float32)


def make_grid(rows: int, columns: int, extent_mm: float, center_mm: tuple[float, float]) -> Grid:
    """Return a grid whose geometric mean side is ``extent_mm`` and whose middle is ``center_mm`` (x, y)."""
    pitch = extent_mm / float(np.sqrt(rows * columns))
    x = (np.arange(columns) - (columns - 1) / 2) * pitch + center_mm[0]
    y = (np.arange(rows) - (rows - 1) / 2) * pitch + center_mm[1]
    return Grid(rows, columns, pitch, x[None, :].astype(np.float32), y[:, None].astype(np.float32))


def splat(grid: Grid, x: Points, y: Points, volume_mm3: Points) -> Map:
    """Return the path length (mm) of matter given as points with volumes, each shared by its four nearest pixels.

    The volume that falls into the field is kept exactly, so a thin wire weighs the same at every resolution.
    """
    column = (x - float(grid.x[0, 0])) / grid.pitch_mm
    row = (y - float(grid.y[0, 0])) / grid.pitch_mm
    inside = (column >= 0) & (row >= 0) & (column < grid.columns - 1) & (row < grid.rows - 1)
    column, row, weight = column[inside], row[inside], volume_mm3[inside] / grid.pitch_mm**2
    left, top = column.astype(np.int64), row.astype(np.int64)
    right_share, bottom_share = column - left, row - top
    index = top * grid.columns + left
    indices = np.concatenate([index, index + 1, index + grid.columns, index + grid.columns + 1])
    weights = np.concatenate(
        [
            weight * (1 - right_share) * (1 - bottom_share),
            weight * right_share * (1 - bottom_share),
            weight * (1 - right_share) * bottom_share,
            weight * right_share * bottom_share,
        ]
    )
    total = np.bincount(indices, weights, minlength=grid.rows * grid.columns)
    return total.reshape(grid.shape).astype(np.float32)


@lru_cache(maxsize=256)
def _spline_matrix(controls: int, samples: int) -> Points:
    spline = CubicSpline(np.arange(controls), np.eye(controls), bc_type="natural")
    return np.asarray(spline(np.linspace(0, controls - 1, samples)), np.float64)


def smooth_curve(controls: Points, samples: int) -> Points:
    """Return ``samples`` points [samples, d] on the natural cubic spline through ``controls`` [k, d]."""
    return _spline_matrix(len(controls), samples) @ np.asarray(controls, np.float64)


def profile(grid: Grid, controls: list[tuple[float, float]]) -> Map:
    """Return the smooth function of y through ``controls`` (y, value), sampled at the rows: float32 [rows, 1]."""
    curve = smooth_curve(np.array(controls), 96)
    order = np.maximum.accumulate(curve[:, 0])
    return np.interp(grid.y[:, 0], order, curve[:, 1]).astype(np.float32)[:, None]


def _spline_weights(position: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the first of four lattice nodes [n] and the cubic B-spline's weights [n, 4] for each position."""
    node = np.floor(position).astype(np.int64)
    t = position - node
    weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1) / 6
    return node, weights.astype(np.float32)


# The lattice is laid over more than any field of view, so one seed gives one texture at every size.
_LATTICE_SPAN_MM = 800.0


def lattice_noise(grid: Grid, rng: np.random.Generator, scale_mm: float) -> Map:
    """Return smooth noise of unit variance, correlated over about ``scale_mm``, the same at every resolution."""
    nodes = int(_LATTICE_SPAN_MM / scale_mm) + 6
    values = rng.standard_normal((nodes, nodes), dtype=np.float32)
    for axis in (grid.y[:, 0], grid.x[0]):
        position = np.clip((axis + _LATTICE_SPAN_MM / 2) / scale_mm, 0, nodes - 4)
        node, weights = _spline_weights(position)
        along = sum(weights[:, tap, None] * values[node + tap] for tap in range(4))
        values = np.asarray(along, np.float32).T
    # A cubic B-spline lattice of unit normals has a mean variance of (151 / 315)^2.
    return np.asarray(values * np.float32(315 / 151))


@lru_cache(maxsize=128)
def _blur_matrix(samples: int, sigma: float) -> NDArray[np.float32]:
    distance = np.arange(samples)[:, None] - np.arange(samples)[None, :]
    weights = np.exp(-0.5 * (distance / sigma) ** 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def blur(values: Map, sigma_pixels: float) -> Map:
    """Return ``values`` blurred by a Gaussian; wide ones are computed on a coarser grid."""
    if sigma_pixels < 0.25:
        return values
    shrink = 1
    while sigma_pixels / shrink > 6 and min(values.shape) // (shrink * 2) >= 16:
        shrink *= 2
    if shrink == 1 and min(values.shape) > 256:
        return np.asarray(gaussian_filter(values, sigma_pixels, mode="nearest", truncate=3.0))
    if shrink == 1:
        sigma = round(sigma_pixels, 1)
        return np.asarray(_blur_matrix(values.shape[0], sigma) @ values @ _blur_matrix(values.shape[1], sigma).T)
    small = _average(values, shrink)
    sigma = round(sigma_pixels / shrink, 1)
    blurred = _blur_matrix(small.shape[0], sigma) @ small @ _blur_matrix(small.shape[1], sigma).T
    return _enlarge(np.asarray(blurred, np.float32), shrink, values.shape)


def _average(values: Map, factor: int) -> Map:
    rows, columns = (-values.shape[0] % factor, -values.shape[1] % factor)
    padded = np.pad(values, ((0, rows), (0, columns)), mode="edge") if rows or columns else values
    shape = (padded.shape[0] // factor, factor, padded.shape[1] // factor, factor)
    return np.asarray(padded.reshape(shape).mean(axis=(1, 3)), np.float32)


@lru_cache(maxsize=64)
def _linear_matrix(samples: int, nodes: int, factor: int) -> NDArray[np.float32]:
    position = (np.arange(samples) - (factor - 1) / 2) / factor
    position = np.clip(position, 0, nodes - 1)
    return np.asarray(np.maximum(1 - np.abs(position[:, None] - np.arange(nodes)[None, :]), 0), np.float32)


def _enlarge(values: Map, factor: int, shape: tuple[int, ...]) -> Map:
    rows = _linear_matrix(shape[0], values.shape[0], factor)
    columns = _linear_matrix(shape[1], values.shape[1], factor)
    return np.asarray(rows @ values @ columns.T, np.float32)
