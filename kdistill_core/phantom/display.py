"""From detector signal to the pixels of a radiograph for presentation: 12 bits, bright where little arrived."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from kdistill_core.phantom.grid import Grid, Map, blur
from kdistill_core.phantom.physics import Acquisition, open_field

MAXIMUM = 4095


def optical_density(signal: Map) -> Map:
    """Return minus the logarithm of the signal, the quantity in which paths through tissue add up."""
    return np.asarray(-np.log(np.maximum(signal, 3e-4)), np.float32)


def process(density: Map, grid: Grid, acquisition: Acquisition, reference: tuple[float, float]) -> Map:
    """Return presentation values in [0, 1]: dynamic range compressed, edges enhanced, through an S-shaped curve.

    reference: density of well aerated lung and of the mediastinum, which set the window as an exposure index does.
    """
    lung, dense = reference
    coarse = blur(density, 22.0 / grid.pitch_mm)
    values = density - acquisition.range_compression * (coarse - (lung + dense) / 2)
    fine = blur(values, 2.2 / grid.pitch_mm)
    values = values + acquisition.edge_enhancement * (values - fine)
    keep = 1 - acquisition.range_compression
    middle = (lung + dense) / 2
    span = (dense - lung) * keep
    position = (values - middle) / max(span, 0.2) * acquisition.contrast + acquisition.brightness
    # Slope and middle bring lung and mediastinum to the gray values of the public NIH radiographs (medians 0.38, 0.75).
    return np.asarray(1 / (1 + np.exp(-1.55 * (position + 0.12))), np.float32)


def encode(values: Map, acquisition: Acquisition) -> Map:
    """Return stored values 0 to 4095; MONOCHROME1 files hold the negative."""
    stored = np.rint(np.clip(values, 0, 1) * MAXIMUM)
    return np.asarray(MAXIMUM - stored if acquisition.monochrome1 else stored, np.float32)


# Strokes of the side markers on a square of 1 by 1, y downwards.
_LETTERS = {
    "L": [[(0.2, 0.0), (0.2, 1.0)], [(0.2, 1.0), (0.8, 1.0)]],
    "R": [
        [(0.2, 0.0), (0.2, 1.0)],
        [(0.2, 0.0), (0.6, 0.0), (0.8, 0.25), (0.6, 0.5), (0.2, 0.5)],
        [(0.45, 0.5), (0.85, 1.0)],
    ],
}


def masked(values: Map, grid: Grid, acquisition: Acquisition) -> Map:
    """Return ``values`` with what lies outside the collimator blackened, where the console does that."""
    if acquisition.collimation is None or acquisition.collimated_white:
        return values
    return values * open_field(grid, acquisition.collimation)


def marked(values: Map, grid: Grid, acquisition: Acquisition) -> Map:
    """Return ``values`` with a lead side marker in an upper corner, on the side of the patient that it names."""
    if not acquisition.marker:
        return values
    across, down = acquisition.marker_place
    height, letter = 15.0, acquisition.marker
    width = grid.pitch_mm * (grid.columns - 1)
    left = (1 - across) * width - height if letter == "L" else across * width
    top = down * grid.pitch_mm * (grid.rows - 1)
    # The letter's surroundings only: two millimeters beyond its strokes there is no ink.
    rows = slice(max(0, int((top - 4) / grid.pitch_mm)), int((top + height + 4) / grid.pitch_mm) + 2)
    columns = slice(max(0, int((left - 4) / grid.pitch_mm)), int((left + height + 4) / grid.pitch_mm) + 2)
    u = (np.arange(grid.columns)[None, columns] * grid.pitch_mm - left) / (0.8 * height)
    v = (np.arange(grid.rows)[rows, None] * grid.pitch_mm - top) / height
    ink = np.zeros(values[rows, columns].shape)
    for stroke in _LETTERS[letter]:
        for (u0, v0), (u1, v1) in pairwise(stroke):
            along = np.clip(((u - u0) * (u1 - u0) + (v - v0) * (v1 - v0)) / ((u1 - u0) ** 2 + (v1 - v0) ** 2), 0, 1)
            distance = np.hypot(u - u0 - along * (u1 - u0), v - v0 - along * (v1 - v0)) * height
            ink = np.maximum(ink, np.clip((1.5 - distance) / grid.pitch_mm + 0.5, 0, 1))
    shown = values.copy()
    shown[rows, columns] += (0.97 - values[rows, columns]) * ink.astype(np.float32)
    return shown
