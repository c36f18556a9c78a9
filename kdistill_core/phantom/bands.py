"""Bones, vessels, tubes and wires: curves in space that are swept to a band or tube and projected as points."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kdistill_core.phantom.body import Body
from kdistill_core.phantom.grid import Grid, Map, Points, smooth_curve, splat

# The beam's central ray meets the patient at this height.
CENTRAL_Y = 18.0


@dataclass
class Cloud:
    """Projected points of one material, collected to be laid on the grid at once."""

    grid: Grid
    parts: list[tuple[Points, Points, Points]] = field(default_factory=list)

    def add(self, x: Points, y: Points, volume_mm3: Points) -> None:
        self.parts.append((x.ravel(), y.ravel(), volume_mm3.ravel()))

    def map(self) -> Map:
        """Return the path length of everything added (mm)."""
        if not self.parts:
            return self.grid.zeros()
        x, y, volume = (np.concatenate([part[i] for part in self.parts]) for i in range(3))
        return splat(self.grid, x, y, volume)


def project(body: Body, points: Points) -> tuple[Points, Points]:
    """Return x and y on the detector (scaled to the body's middle) of points [..., 3] (x, y, depth to the front)."""
    x, y, z = points[..., 0], points[..., 1], points[..., 2]
    enlargement = 1 + body.magnification_per_mm * z
    axis = body.lean * y + body.scoliosis * np.sin((y - 20) / 70.0)
    return (x + body.shift_of_depth * z + axis) * enlargement, (y - CENTRAL_Y) * enlargement + CENTRAL_Y


def hollow_chord(across: Points, wall: Points | float, filling: float) -> Points:
    """Return the relative path through a tube at ``across`` in [-1, 1]: wall of relative thickness, porous inside."""
    outer = np.sqrt(np.maximum(1 - across**2, 0))
    inner = (1 - wall) * np.sqrt(np.maximum(1 - (across / (1 - wall)) ** 2, 0))
    return outer - (1 - filling) * inner


def samples_for(grid: Grid, length_mm: float, step_pixels: float = 0.7) -> int:
    """Return how many samples cover a length without gaps (rounded up, so that cached matrices are shared)."""
    count = length_mm / (step_pixels * grid.pitch_mm)
    return int(np.ceil(max(count, 6) / 16) * 16)


def add_band(
    cloud: Cloud,
    body: Body,
    curve: Points,
    half_width: Points | float,
    depth: Points | float,
    wall: float,
    filling: float,
) -> None:
    """Add a bone swept along ``curve`` [n, 3]: an elliptic tube, flat against the rib cage.

    half_width: half of its height in mm; depth: its thickness in mm; wall: cortical share of the half width.
    """
    step = np.gradient(curve, axis=0)
    length = np.linalg.norm(step, axis=1, keepdims=True)
    tangent = step / np.maximum(length, 1e-9)
    up = np.array([0.0, 1.0, 0.0]) - tangent * tangent[:, 1:2]
    up /= np.maximum(np.linalg.norm(up, axis=1, keepdims=True), 1e-6)
    half = np.broadcast_to(np.asarray(half_width, np.float64), (len(curve),))
    count = max(5, int(np.ceil(2 * float(half.max()) / (0.7 * cloud.grid.pitch_mm))))
    across = (np.arange(count) + 0.5) / count * 2 - 1
    points = curve[:, None, :] + (up * half[:, None])[:, None, :] * across[None, :, None]
    x, y = project(body, points)
    area = length * half[:, None] * (2 / count)
    cloud.add(x, y, area * depth * hollow_chord(across, wall, filling)[None, :])


def add_tube(
    cloud: Cloud, xy: Points, radius: float, *, wall: float = 1.0, filling: float = 1.0, share: Points | float = 1.0
) -> None:
    """Add a round tube along ``xy`` [n, 2], already in projection; ``wall`` 1 is solid.

    share: the part of the tube that is there, per point (dashes, fading).
    """
    step = np.gradient(xy, axis=0)
    length = np.linalg.norm(step, axis=1, keepdims=True)
    normal = np.stack([-step[:, 1], step[:, 0]], axis=1) / np.maximum(length, 1e-9)
    count = max(3, int(np.ceil(2 * radius / (0.7 * cloud.grid.pitch_mm))))
    across = (np.arange(count) + 0.5) / count * 2 - 1
    points = xy[:, None, :] + normal[:, None, :] * (radius * across)[None, :, None]
    chord = 2 * radius * (hollow_chord(across, wall, filling) if wall < 1 else np.sqrt(1 - across**2))
    # The midpoint rule over few samples misses area; what a tube weighs must not depend on the resolution.
    exact = np.pi / 2 * radius * (1 - (1 - filling) * (1 - wall) ** 2 if wall < 1 else 1.0)
    chord = chord * (exact / max(float(chord.mean()), 1e-9))
    area = length * (2 * radius / count) * np.broadcast_to(np.asarray(share, np.float64), (len(xy),))[:, None]
    cloud.add(points[..., 0], points[..., 1], area * chord[None, :])


def drawn_curve(grid: Grid, controls: Points) -> Points:
    """Return a smooth curve through ``controls`` [k, d], sampled finely enough for the grid."""
    length = float(np.linalg.norm(np.diff(controls, axis=0), axis=1).sum())
    return smooth_curve(controls, samples_for(grid, 1.15 * length))
