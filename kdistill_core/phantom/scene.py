"""One patient laid on a grid as separate maps, so that disease can change each part before they are summed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kdistill_core.phantom.bands import Cloud
from kdistill_core.phantom.body import Body
from kdistill_core.phantom.grid import Grid, Map, blur, lattice_noise
from kdistill_core.phantom.lungs import LUNG_DENSITY, SIDES, airways, hilar_tissue, interstitium, vessels
from kdistill_core.phantom.skeleton import Break, add_ribs, add_shoulders, spine
from kdistill_core.phantom.solids import (
    Deformation,
    abdominal_gas,
    breasts,
    chord,
    lung_cavity,
    mediastinum_borders,
    midline,
    shift,
    trunk,
)


@dataclass(eq=False)
class Scene:
    """Path lengths in mm per part, float32 [rows, columns]; those of a lung are keyed by side (-1 right, +1 left).

    soft: trunk and breasts without anything taken out. air: airways and abdominal gas. cavity: the pleural space above
    the diaphragm, heart taken out. lung: the aerated part of it. vessels: within the lung. texture: relative density.
    silhouette: bool, heart and great vessels above the diaphragm. extra: water that disease adds.
    """

    body: Body
    grid: Grid
    change: Deformation
    soft: Map
    air: Map
    cavity: dict[int, Map]
    lung: dict[int, Map]
    vessels: dict[int, Map]
    texture: Map
    hila: Map
    silhouette: np.ndarray
    extra: Map
    bone: Map
    metal: Map

    def water(self) -> Map:
        """Return the path length through water-like tissue (mm)."""
        total = self.soft - self.air + self.extra
        for side in SIDES:
            total = total - self.lung[side] * (1 - LUNG_DENSITY * (1 + self.texture))
            filled = np.clip(self.lung[side] / 45.0, 0, 1)
            total = total + (self.vessels[side] + self.hila) * filled
        return np.asarray(np.maximum(total, 0), np.float32)


def build_scene(
    body: Body, grid: Grid, texture: np.random.Generator, change: Deformation, breaks: tuple[Break, ...]
) -> Scene:
    """Lay ``body`` on ``grid``. Draws from ``texture`` do not depend on disease."""
    soft = trunk(body, grid)
    fat = lattice_noise(grid, texture, 26.0) * 0.012 + lattice_noise(grid, texture, 8.0) * 0.006
    soft = soft * (1 + fat) + breasts(body, grid, texture)
    ribs_rng, gas_rng = texture.spawn(2)
    low, high, depth = mediastinum_borders(body, grid, change)
    heart = chord(grid.x, low, high, depth, 2.2)
    aorta_x = midline(body, grid) + shift(body, -40) + 17 + change.mediastinal_shift * 0.6
    aorta = np.where(grid.y > -34, chord(grid.x, aorta_x - 12, aorta_x + 12, 24.0), 0)
    filling = blur(heart, 1.1 / grid.pitch_mm) + blur(np.asarray(aorta, np.float32), 0.8 / grid.pitch_mm)
    cavity = {side: lung_cavity(body, grid, side, change) for side in SIDES}
    aerated = {side: blur(np.maximum(cavity[side] - filling, 0), 0.5 / grid.pitch_mm) for side in SIDES}
    above = (cavity[-1] + cavity[1] > 6) | (grid.y < body.dome_y)
    right_vessels, left_vessels = vessels(body, grid)
    cloud = Cloud(grid)
    add_ribs(cloud, body, ribs_rng, breaks)
    add_shoulders(cloud, body)
    bone = blur(cloud.map(), 0.35 / grid.pitch_mm) + spine(body, grid)
    grain = 1 + 0.10 * lattice_noise(grid, texture, 3.0)
    return Scene(
        body=body,
        grid=grid,
        change=change,
        soft=np.asarray(soft, np.float32),
        air=np.asarray(airways(body, grid, change.mediastinal_shift) + abdominal_gas(body, grid, gas_rng, change)),
        cavity=aerated,
        lung={side: aerated[side].copy() for side in SIDES},
        vessels={-1: right_vessels, 1: left_vessels},
        texture=interstitium(grid, texture),
        hila=hilar_tissue(body, grid, -1) + hilar_tissue(body, grid, 1),
        silhouette=np.asarray((heart > 18) & above & (grid.y > -70)),
        extra=grid.zeros(),
        bone=np.asarray(bone * grain, np.float32),
        metal=grid.zeros(),
    )
