"""The soft parts as solids that are described row by row: trunk, lungs, heart, diaphragm, breasts, gas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kdistill_core.phantom.body import Body
from kdistill_core.phantom.grid import Grid, Map, lattice_noise, profile


@dataclass(frozen=True)
class Deformation:
    """What disease does to the anatomy before it is projected; the neutral element changes nothing."""

    heart_width: float = 1.0
    mediastinum_width: float = 1.0
    dome_rise_left: float = 0.0  # mm
    dome_rise_right: float = 0.0
    mediastinal_shift: float = 0.0  # mm to the patient's left


def chord(x: Map, low: Map, high: Map, depth: Map | float, power: float = 2.0) -> Map:
    """Return the path length through a solid whose rows run from ``low`` to ``high`` and are ``depth`` mm thick.

    ``power`` 2 gives an elliptic cross-section; higher ones are boxier. Rows with high <= low are empty.
    """
    half = np.maximum((high - low) / 2, 1e-3)
    offset = np.abs((x - (low + high) / 2) / half)
    inside = np.maximum(1 - offset**power, 0) ** (1 / power)
    return np.asarray(np.where(high > low, depth * inside, 0), np.float32)


def midline(body: Body, grid: Grid) -> Map:
    """Return the x of the spine's axis per row [rows, 1]: lean and scoliosis."""
    y = grid.y
    return np.asarray(body.lean * y + body.scoliosis * np.sin((y - 20) / 70.0), np.float32)


def shift(body: Body, depth_mm: float) -> float:
    """Return the sideways move of a structure ``depth_mm`` in front of the middle under rotation."""
    return body.shift_of_depth * depth_mm


def magnified(body: Body, depth_mm: float) -> float:
    """Return the magnification of a structure relative to the middle of the body."""
    return 1 + body.magnification_per_mm * depth_mm


def cage_half_width(body: Body, y: Map | float) -> Map:
    """Return the inner half width of the rib cage at ``y``, rounded towards the apex."""
    depth = np.clip((np.asarray(y, np.float32) - body.apex_y) / (body.dome_y + body.angle_depth - body.apex_y), 0, 1.2)
    opening = np.sqrt(1 - (1 - np.clip(depth / 0.86, 0, 1)) ** 2.3)
    return np.asarray(body.cage_half_width * opening, np.float32)


def trunk(body: Body, grid: Grid) -> Map:
    """Return the path length through neck, shoulders, trunk and arms (mm), lungs not yet taken out."""
    x = grid.x - midline(body, grid) * 0.6
    wide, shoulder = body.body_half_width, body.shoulder_y
    neck = 46 + 0.12 * (wide - 150)
    half = profile(
        grid,
        [
            (shoulder - 120, neck + 2), (shoulder - 75, neck), (shoulder - 48, neck + 8), (shoulder - 26, neck + 46),
            (shoulder - 8, wide * 0.80), (shoulder + 18, wide * 0.96), (shoulder + 55, wide * 0.98),
            (shoulder + 110, wide * 0.97), (shoulder + 170, wide), (shoulder + 240, wide * 1.03),
            (shoulder + 330, wide * 1.04),
        ],
    )  # fmt: skip
    depth = profile(
        grid,
        [
            (shoulder - 120, 125), (shoulder - 40, 128), (shoulder, body.body_depth * 0.80),
            (shoulder + 70, body.body_depth * 0.97), (shoulder + 150, body.body_depth),
            (shoulder + 230, body.body_depth * 1.06), (shoulder + 330, body.body_depth * 1.12),
        ],
    )  # fmt: skip
    torso = chord(x, -half, half, depth, 3.0)
    return np.asarray((torso**4 + arms(body, grid) ** 4) ** 0.25, np.float32)


def arms(body: Body, grid: Grid) -> Map:
    """Return the path length through both upper arms as cones that leave the shoulders."""
    total = grid.zeros()
    for side in (-1, 1):
        top = (side * (body.body_half_width * 0.90), body.shoulder_y + 14)
        direction = (side * np.sin(body.arm_angle), np.cos(body.arm_angle))
        dx, dy = grid.x - top[0], grid.y - top[1]
        along = dx * direction[0] + dy * direction[1]
        across = dx * direction[1] - dy * direction[0]
        radius = np.clip(53 - 0.05 * along, 36, 55) + 0.12 * (body.body_half_width - 150)
        beyond = np.maximum(-along, 0)
        total += 2 * np.sqrt(np.maximum(radius**2 - across**2 - beyond**2, 0))
    return total


def breasts(body: Body, grid: Grid, texture: np.random.Generator) -> Map:
    """Return the path length through breast tissue; men's pectoral muscle takes its place."""
    total = grid.zeros()
    size = body.breast_size
    lumps = 1 + 0.08 * lattice_noise(grid, texture, 14.0)
    for side in (-1, 1):
        center = side * body.cage_half_width * 0.62 + shift(body, 90)
        if size > 0:
            width, height = 48 + 20 * size, 38 + 26 * size
            dy = (grid.y - body.breast_y) / height
            # Breasts hang: the lower edge is the steep one.
            dy = np.where(dy > 0, dy * 1.3, dy * 0.6)
            inside = np.maximum(1 - ((grid.x - center) / width) ** 2 - dy**2, 0)
            total += np.asarray(25 * size * inside**0.9, np.float32) * lumps
        else:
            dy, dx = (grid.y + 8) / 62, (grid.x - center - side * 22) / 62
            total += np.asarray(14 * np.maximum(1 - dx**2 - dy**2, 0) ** 0.8, np.float32)
    return total


def mediastinum_borders(body: Body, grid: Grid, change: Deformation) -> tuple[Map, Map, Map]:
    """Return right and left border and depth of heart and great vessels per row [rows, 1], in mm.

    The contours follow superior vena cava, right atrium; aortic knob, pulmonary trunk, left ventricle.
    """
    heart = body.heart_width * change.heart_width * magnified(body, 35) * (body.cage_half_width / 133) ** 0.6
    upper = body.mediastinum_width * change.mediastinum_width * magnified(body, 10)
    stretch = (body.dome_y + 4) / 116
    knob, tilt = body.aortic_knob * 8, body.heart_tilt * 3
    top, neck = body.apex_y - 30, 25 * body.mediastinum_width
    left = [
        (top, neck), (-62, 27 * upper), (-44, 28 * upper + 0.4 * knob), (-30, 29 * upper + knob),
        (-14, 30 * upper + 0.3 * knob), (4 * stretch, 33 * upper), (22 * stretch, 30 * upper + 10 * heart),
        (46 * stretch, 62 * heart + tilt), (70 * stretch, 78 * heart + tilt), (92 * stretch, 86 * heart),
        (108 * stretch, 82 * heart), (124 * stretch, 62 * heart), (150 * stretch, 40),
    ]  # fmt: skip
    right = [
        (top, neck), (-55, 23 * upper), (-20, 25 * upper), (8, 27 * upper), (30 * stretch, 20 * upper + 14 * heart),
        (55 * stretch, 44 * heart), (78 * stretch, 48 * heart), (98 * stretch, 44 * heart), (116 * stretch, 34 * heart),
        (150 * stretch, 22),
    ]  # fmt: skip
    depth = [
        (top, 46), (-50, 54), (0, 66), (30 * stretch, body.heart_depth * 0.86), (70 * stretch, body.heart_depth),
        (110 * stretch, body.heart_depth * 0.85), (160 * stretch, 30),
    ]  # fmt: skip
    axis = midline(body, grid) + shift(body, 38) + change.mediastinal_shift
    grown = 1 + 0.35 * (change.heart_width - 1)
    return axis - profile(grid, right), axis + profile(grid, left), profile(grid, depth) * np.float32(grown)


def dome_tops(body: Body, grid: Grid, side: int, change: Deformation) -> Map:
    """Return the y of one hemidiaphragm's highest line per column [1, columns]; ``side`` +1 is the patient's left."""
    rise = change.dome_rise_left if side > 0 else change.dome_rise_right
    top = body.dome_y - rise + (body.dome_drop_left if side > 0 else 0)
    center = side * body.cage_half_width * (0.50 if side > 0 else 0.47) + shift(body, 20)
    reach = np.abs(grid.x - center) / (body.cage_half_width * 0.55)
    outwards = (grid.x - center) * side > 0
    fall = np.where(outwards, body.angle_depth * reach**2.6, 13 * reach**2.0)
    return np.asarray(top + fall, np.float32)


def lung_cavity(body: Body, grid: Grid, side: int, change: Deformation) -> Map:
    """Return the path length of one pleural cavity (mm) above its diaphragm, heart not yet taken out."""
    y = grid.y
    x = (grid.x - midline(body, grid)) * side
    lateral = cage_half_width(body, y)
    below_apex = np.clip((y - body.apex_y) / 70, 0, 1)
    peak = 0.36 * body.cage_half_width + 0.08 * body.cage_half_width * np.clip((y - body.apex_y) / 200, 0, 1)
    peak = np.minimum(peak, 0.62 * lateral + 6)
    medial = peak - (peak - 3) * np.sqrt(1 - (1 - below_apex) ** 2.2)
    span = np.where(x > peak, np.maximum(lateral - peak, 1e-3), np.maximum(peak - medial, 1e-3))
    depth = body.cage_depth * (0.42 + 0.58 * np.sqrt(np.clip((y - body.apex_y) / 130, 0, 1)))
    # Towards the midline the lung thins out gradually in front of the spine and behind the heart.
    power = np.where(x > peak, np.float32(2.3), np.float32(1.55))
    cross = np.maximum(1 - np.abs((x - peak) / span) ** power, 0) ** (1 / power)
    cavity = np.where(y > body.apex_y, depth * cross, 0)
    # Below the dome's tangent the beam passes ever more diaphragm: the chord of a sphere of this radius.
    sunk = np.maximum(y - dome_tops(body, grid, side, change), 0)
    covered = 2 * np.sqrt(np.float32(2 * 62.0) * sunk)
    return np.asarray(np.maximum(cavity - covered, 0), np.float32)


def abdominal_gas(body: Body, grid: Grid, rng: np.random.Generator, change: Deformation) -> Map:
    """Return the path length of stomach and colon gas under the left dome (mm)."""
    count = int(rng.integers(0, 4))
    draws = rng.random((3, 6))
    total = grid.zeros()
    top = body.dome_y + body.dome_drop_left - change.dome_rise_left
    for index, (across, down, wide, high, thick, level) in enumerate(draws[:count]):
        center = body.cage_half_width * (0.28 + 0.42 * across)
        radius = (14 + 22 * wide, 8 + 12 * high)
        middle = top + radius[1] + 9 + 22 * down + 16 * index
        inside = np.maximum(1 - ((grid.x - center) / radius[0]) ** 2 - ((grid.y - middle) / radius[1]) ** 2, 0)
        gas = (18 + 40 * thick) * np.sqrt(inside)
        if index == 0 and level > 0.5:  # an upright stomach shows a fluid level
            gas = gas * np.clip((middle + radius[1] * 0.3 - grid.y) / 1.5, 0, 1)
        total += np.asarray(gas, np.float32)
    return total
