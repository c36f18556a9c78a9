"""Disease of the pleural space: effusion, pneumothorax, thickening and plaques.

Each function changes the scene and returns the mask of what it changed: bool [rows, columns].
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from kdistill_core.phantom.disease import Disease
from kdistill_core.phantom.grid import Map, blur, lattice_noise
from kdistill_core.phantom.lungs import LUNG_DENSITY, hilum
from kdistill_core.phantom.opacities import sides_of, size_of
from kdistill_core.phantom.scene import Scene
from kdistill_core.phantom.solids import cage_half_width

Mask = NDArray[np.bool_]


def effusion(scene: Scene, disease: Disease, rng: np.random.Generator) -> Mask:
    """Fill the pleural space from below: a meniscus that climbs the chest wall, or a veil when lying down."""
    mask = np.zeros(scene.grid.shape, bool)
    body, size = scene.body, size_of(disease)
    for side in sides_of(disease):
        base = body.dome_y + (body.dome_drop_left if side > 0 else 0) + 0.45 * body.angle_depth
        height = (7.0, 54.0, 120.0)[size] * float(rng.uniform(0.9, 1.15))
        layered = body.view == "AP" and size > 0 and rng.random() < 0.4
        wall = cage_half_width(body, scene.grid.y) - scene.grid.x * side
        climb = (38.0, 46.0, 64.0)[size] * np.exp(-np.maximum(wall, 0) / (22 + 8 * size))
        surface = base - height - climb + 4 * lattice_noise(scene.grid, rng, 60.0)
        depth = scene.grid.y - surface
        share = np.clip(depth / (22 if size else 15), 0, 1)
        share = share * share * (3 - 2 * share)
        if layered:
            share = np.maximum(share, np.clip(0.30 + 0.06 * size + depth / 320, 0, 0.55) * (depth > -150))
        share = np.asarray(share * 0.97 * (scene.cavity[side] > 0), np.float32)
        scene.lung[side] = scene.lung[side] * (1 - share)
        mask |= (share > (0.22 if layered else 0.35)) & (scene.cavity[side] > 3)
    return mask


def pneumothorax(scene: Scene, disease: Disease, rng: np.random.Generator) -> Mask:
    """Let the lung fall back from the chest wall towards its hilum: no vessels beyond a fine white line."""
    mask = np.zeros(scene.grid.shape, bool)
    size = size_of(disease)
    for side in sides_of(disease):
        shrink_x = (0.86, 0.74, 0.52)[size] * float(rng.uniform(0.97, 1.03))
        shrink_y = (0.87, 0.81, 0.68)[size]
        x, y = hilum(scene.body, side)
        y += 62
        row = ((scene.grid.y - y) / shrink_y + y - float(scene.grid.y[0, 0])) / scene.grid.pitch_mm
        column = ((scene.grid.x - x) / shrink_x + x - float(scene.grid.x[0, 0])) / scene.grid.pitch_mm
        coordinates = np.stack(np.broadcast_arrays(row, column))

        def squeezed(values: Map, where: NDArray[np.float32] = coordinates) -> Map:
            return np.asarray(map_coordinates(values, where, order=1, mode="constant"), np.float32)

        cavity = scene.cavity[side]
        lung = np.minimum(squeezed(scene.lung[side]), scene.lung[side])
        vessels = squeezed(scene.vessels[side])
        edge = np.asarray(np.clip(lung / 10.0, 0, 1), np.float32)
        soft = blur(edge, 1.2 / scene.grid.pitch_mm)
        line = np.clip(4 * soft * (1 - soft), 0, 1) * (cavity > 6)
        gas = np.maximum(scene.lung[side] - lung, 0)
        # Free gas holds no tissue; what collapses keeps its tissue in less room.
        scene.extra += line * np.float32(5.5) - gas * np.float32(LUNG_DENSITY) * (1 + scene.texture)
        scene.extra += lung * np.float32(LUNG_DENSITY * (1 / (shrink_x * shrink_y) - 1) * 0.6)
        scene.vessels[side] = np.asarray(vessels * edge, np.float32)
        mask |= (cavity > 5) & (edge < 0.5) & (gas > 4)
    return mask


def pleural_other(scene: Scene, disease: Disease, rng: np.random.Generator) -> Mask:
    """Thicken the pleura along the flank or over the apex, or lay calcified plaques on it."""
    mask = np.zeros(scene.grid.shape, bool)
    for side in sides_of(disease):
        if disease.place == "pleural plaque":
            mask |= _plaques(scene, disease, side, rng)
        else:
            mask |= _rind(scene, disease, side, rng)
    return mask


def _rind(scene: Scene, disease: Disease, side: int, rng: np.random.Generator) -> Mask:
    body, size, grid = scene.body, size_of(disease), scene.grid
    lobulated = np.clip(1 + 0.35 * lattice_noise(grid, rng, 22.0), 0.35, 2.0)
    width = (7.0, 11.0, 16.0)[size] * lobulated
    wall = cage_half_width(body, grid.y) - grid.x * side
    if disease.place == "apical pleura":
        inside = np.clip((width * 2.0 - (grid.y - body.apex_y - 0.004 * (wall - 45) ** 2)) / 3, 0, 1)
        inside = inside * (grid.y < body.apex_y + 60)
    else:
        span = np.clip((grid.y - (body.dome_y - 105)) / 22, 0, 1) * np.clip((body.dome_y + 30 - grid.y) / 20, 0, 1)
        inside = np.clip((width - wall) / 2.0, 0, 1) * span
    rind = np.asarray(inside * (scene.cavity[side] > 0), np.float32)
    scene.lung[side] = scene.lung[side] * (1 - np.float32(0.9) * rind)
    scene.extra += rind * np.float32(10.0)
    return np.asarray(rind > 0.4)


def _plaques(scene: Scene, disease: Disease, side: int, rng: np.random.Generator) -> Mask:
    body, size, grid = scene.body, size_of(disease), scene.grid
    total = grid.zeros()
    for _ in range(2 + size):
        y = body.dome_y - float(rng.uniform(5, 95))
        x = side * float(cage_half_width(body, y)) * float(rng.uniform(0.5, 0.86))
        radii = (float(rng.uniform(11, 17)) + 3 * size, float(rng.uniform(6, 9)) + 2 * size)
        reach = np.sqrt(((grid.x - x) / radii[0]) ** 2 + ((grid.y - y) / radii[1]) ** 2)
        reach = reach + 0.25 * lattice_noise(grid, rng, 9.0)
        # Calcium gathers along the rim of a plaque, which makes it look like a holly leaf.
        total += np.asarray(np.clip((1 - reach) / 0.15, 0, 1) * (0.7 + 0.6 * np.clip(reach, 0, 1)), np.float32)
    total = total * (scene.cavity[side] > 3)
    scene.bone += total * np.float32(2.8)
    scene.extra += total * np.float32(3.0)
    return np.asarray(total > 0.35)
