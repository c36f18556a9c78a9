"""What fills the lungs: vessels that branch to the periphery, airways, interstitial texture."""

from __future__ import annotations

import numpy as np

from kdistill_core.phantom.bands import Cloud, add_tube, drawn_curve
from kdistill_core.phantom.body import Body
from kdistill_core.phantom.grid import Grid, Map, Points, blur, lattice_noise, splat
from kdistill_core.phantom.solids import magnified, midline, shift

SIDES = (-1, 1)  # the patient's right, the patient's left
# Water equivalent of inflated lung without its larger vessels, relative to water.
LUNG_DENSITY = 0.24


def hilum(body: Body, side: int) -> tuple[float, float]:
    """Return x and y of a hilum; the left one stands about a finger's breadth higher."""
    y = 16.0 if side < 0 else 6.0
    x = side * 34 * magnified(body, 5) + body.lean * y + shift(body, 5)
    return x, y


def vessels(body: Body, grid: Grid) -> tuple[Map, Map]:
    """Return the path length through pulmonary vessels (mm) of the right and of the left lung.

    Every generation splits in two with radii by Murray's law; the tree belongs to the body, not to the grid.
    """
    rng = np.random.default_rng(body.tree_seed)
    pieces = [piece for side in SIDES for piece in _tree(body, grid, rng, side)]
    x, y, volume, radius = (np.concatenate([piece[i].ravel() for piece in pieces]) for i in range(4))
    total = grid.zeros()
    # Points become tubes by a blur of about the tube's own spread, one per class of radius.
    for low, high in ((0.0, 0.7), (0.7, 1.2), (1.2, 2.0), (2.0, 9.0)):
        chosen = (radius > low) & (radius <= high)
        spread = 0.5 * float(radius[chosen].mean()) / grid.pitch_mm
        total += blur(splat(grid, x[chosen], y[chosen], volume[chosen]), spread)
    on_the_right = grid.x < midline(body, grid) + shift(body, 5)
    return np.where(on_the_right, total, np.float32(0)), np.where(on_the_right, np.float32(0), total)


def _tree(body: Body, grid: Grid, rng: np.random.Generator, side: int) -> list[tuple[Points, Points, Points, Points]]:
    start = np.array(hilum(body, side))
    trunks = 13
    # Angles from straight up, turning outwards: to the apex, the flank and the base.
    angle = np.linspace(0.12, 2.86, trunks) + rng.normal(0, 0.08, trunks)
    origin = start + rng.normal(0, 1, (trunks, 2)) * np.array([4.0, 8.0])
    radius = rng.uniform(2.2, 4.0, trunks) * np.where(angle > 1.9, 1.3, 0.84)
    length = rng.uniform(22, 38, trunks)
    pieces = []
    for _ in range(7):
        count = len(angle)
        bend = rng.normal(0, 0.22, count)
        segments, end = _segments(grid, origin, angle, bend, length, radius, side)
        pieces.append(segments)
        share = rng.uniform(0.36, 0.64, count)
        spread = rng.uniform(0.22, 0.62, count)
        radius = np.concatenate([radius * share ** (1 / 3), radius * (1 - share) ** (1 / 3)])
        angle = angle + bend
        angle = np.concatenate([angle + spread * (1 - share), angle - spread * share])
        length = np.concatenate([length, length]) * rng.uniform(0.66, 1.0, 2 * count)
        origin = np.concatenate([end, end])
        kept = (radius > 0.32) & (np.abs(origin[:, 0]) < body.cage_half_width + 4)
        kept &= (origin[:, 1] > body.apex_y - 5) & (origin[:, 1] < body.dome_y + body.angle_depth + 5)
        radius, angle, length, origin = radius[kept], angle[kept], length[kept], origin[kept]
        if not len(angle):
            break
    return pieces


def _segments(
    grid: Grid, origin: Points, angle: Points, bend: Points, length: Points, radius: Points, side: int
) -> tuple[tuple[Points, Points, Points, Points], Points]:
    """Return one generation of curved segments as points (x, y, volume, radius, each [n, samples]) and their ends."""
    count = int(np.ceil(float(length.max()) / (0.9 * grid.pitch_mm))) + 2
    t = (np.arange(count) + 0.5) / count
    heading = angle[:, None] + bend[:, None] * t[None, :]
    step = length[:, None] / count
    x = origin[:, :1] + np.cumsum(np.sin(heading), axis=1) * step * side
    y = origin[:, 1:] - np.cumsum(np.cos(heading), axis=1) * step
    volume = np.pi * (radius[:, None] * (1 - 0.18 * t[None, :])) ** 2 * step
    radii = np.broadcast_to(radius[:, None], x.shape)
    return (x, y, volume, radii), np.stack([x[:, -1], y[:, -1]], axis=1)


def airways(body: Body, grid: Grid, displacement_mm: float) -> Map:
    """Return the path length of air in trachea and main bronchi (mm)."""
    cloud = Cloud(grid)
    for controls, radius in airway_courses(body, displacement_mm):
        add_tube(cloud, drawn_curve(grid, controls), radius)
    return cloud.map()


def airway_courses(body: Body, displacement_mm: float) -> list[tuple[Points, float]]:
    """Return the courses [k, 2] and radii (mm) of trachea, right and left main bronchus, lower lobe bronchi."""
    move = shift(body, 15) + displacement_mm
    x = float(body.lean) * -60 + move
    radius = 8.6 if body.sex == "M" else 7.4
    top = body.apex_y - 75
    carina = np.array([move - 2, -4.0])
    trachea = np.array([[x - 1, top], [x, (top - 40) / 2 - 30], [x - 2.5, -42], carina])
    right = carina + np.array([[0, -4], [-14, 14], [-26, 25]])
    left = carina + np.array([[0, -4], [18, 13], [38, 24]])
    lower_right = carina + np.array([[-26, 25], [-33, 40], [-38, 58]])
    lower_left = carina + np.array([[38, 24], [42, 40], [47, 56]])
    return [(trachea, radius), (right, 6.6), (left, 5.8), (lower_right, 4.2), (lower_left, 4.0)]


def interstitium(grid: Grid, rng: np.random.Generator) -> Map:
    """Return relative variations of lung density, zero on average, from lobules down to single pixels."""
    total = 0.055 * lattice_noise(grid, rng, 42.0)
    scales = ((16.0, 0.045), (7.0, 0.05), (3.6, 0.06), (1.8, 0.06))
    for (scale, strength), stream in zip(scales, rng.spawn(len(scales)), strict=True):
        if scale > 0.9 * grid.pitch_mm:
            total = total + strength * lattice_noise(grid, stream, scale)
    return np.asarray(total, np.float32)


def hilar_tissue(body: Body, grid: Grid, side: int) -> Map:
    """Return the path length through nodes and fat around a hilum (mm)."""
    x, y = hilum(body, side)
    axis = midline(body, grid)
    reach = ((grid.x - x - axis * 0.3) / 15) ** 2 + ((grid.y - y - 4) / 24) ** 2
    return np.asarray(25 * np.exp(-reach), np.float32)
