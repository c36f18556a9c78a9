"""Disease that changes the anatomy itself: large hearts, wide mediastina, lost volume, broken ribs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kdistill_core.conditions import Condition
from kdistill_core.phantom.bands import project
from kdistill_core.phantom.body import Body
from kdistill_core.phantom.disease import Disease
from kdistill_core.phantom.grid import lattice_noise
from kdistill_core.phantom.opacities import sides_of, size_of
from kdistill_core.phantom.scene import Scene
from kdistill_core.phantom.skeleton import Break, rib_curve
from kdistill_core.phantom.solids import Deformation

Mask = NDArray[np.bool_]


def deformation(body: Body, diseases: Sequence[Disease], rng: np.random.Generator) -> Deformation:
    """Return what ``diseases`` do to the anatomy: sizes of heart and mediastinum, domes, shift."""
    heart = mediastinum = 1.0
    rises, pull = {-1: 0.0, 1: 0.0}, 0.0
    jitter = rng.uniform(-1, 1, 4)
    for disease in diseases:
        size = size_of(disease)
        if disease.condition is Condition.CARDIOMEGALY:
            # From the width drawn for this body to a cardiothoracic ratio well above one half.
            heart = (1.24, 1.38, 1.55)[size] + 0.03 * float(jitter[0])
            heart = max(heart, 1.16 / body.heart_width)
        elif disease.condition is Condition.ENLARGED_CARDIOMEDIASTINUM:
            mediastinum = (1.6, 1.9, 2.3)[size] + 0.05 * float(jitter[1])
        elif disease.condition is Condition.ATELECTASIS:
            lobar = disease.place != "base"
            for side in sides_of(disease):
                rises[side] += (7 + 5 * size) * (1.0 if not lobar else 1.3) * (disease.place != "upper lobe")
                pull += side * (3 + 3 * size) * lobar
        elif disease.condition is Condition.PLEURAL_EFFUSION and size == 2 and len(sides_of(disease)) == 1:
            pull -= sides_of(disease)[0] * 9.0
        elif disease.condition is Condition.PNEUMOTHORAX and size == 2:
            pull -= sides_of(disease)[0] * 11.0
    return Deformation(heart, mediastinum, rises[1], rises[-1], float(np.clip(pull, -16, 16)))


def rib_breaks(diseases: Sequence[Disease], rng: np.random.Generator) -> tuple[Break, ...]:
    """Return the broken ribs of all fractures: neighbors, at about the same place along each."""
    breaks: list[Break] = []
    for disease in diseases:
        if disease.condition is not Condition.FRACTURE:
            continue
        size = size_of(disease)
        for side in sides_of(disease):
            first = int(rng.integers(3, 7))
            # Not where the rib runs along the beam: there nobody sees a fracture.
            flank = (0.25, 0.35) if rng.random() < 0.5 else (0.70, 0.80)
            place = float(rng.uniform(*(flank if disease.place == "lateral ribs" else (0.13, 0.23))))
            offset = (8.0, 10.0, 12.5)[size] * (1 if rng.random() < 0.5 else -1)
            breaks.extend(
                Break(side, first + index, place + float(rng.normal(0, 0.015)), offset) for index in range(1 + size)
            )
    return tuple(breaks)


def break_positions(body: Body, breaks: Sequence[Break]) -> list[tuple[float, float]]:
    """Return x and y (mm) of every break."""
    places = []
    for fracture in breaks:
        point = rib_curve(body, fracture.rib, fracture.side, np.array([fracture.at]))
        x, y = project(body, point)
        places.append((float(x[0]), float(y[0]) + 0.5 * fracture.offset))
    return places


def fracture(scene: Scene, breaks: Sequence[Break], rng: np.random.Generator) -> Mask:
    """Surround the breaks, which the scene was built with, by overlapping ends and hematoma; return where they are."""
    mask = np.zeros(scene.grid.shape, bool)
    swelling = scene.grid.zeros()
    for x, y in break_positions(scene.body, breaks):
        distance = (scene.grid.x - x) ** 2 + (scene.grid.y - y) ** 2
        swelling = np.maximum(swelling, np.exp(-distance / (2 * 8.0**2)))
        scene.bone += np.asarray(3.6 * np.exp(-distance / (2 * 4.0**2)), np.float32)
        mask |= distance < 14.0**2
    uneven = np.clip(1 + 0.2 * lattice_noise(scene.grid, rng, 8.0), 0.4, 1.6)
    scene.extra += np.asarray(14.0 * swelling * uneven, np.float32)
    return mask


def cardiac_silhouette(scene: Scene) -> Mask:
    """Return the heart below the hila."""
    return np.asarray(scene.silhouette & (scene.grid.y > 18))
