"""Disease within the lung: consolidation, pneumonia, other opacities, lesions, edema, atelectasis.

Each function changes the scene and returns the mask of what it changed: bool [rows, columns].
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from kdistill_core.phantom.bands import Cloud, add_tube, drawn_curve
from kdistill_core.phantom.disease import Disease
from kdistill_core.phantom.grid import Map, blur, lattice_noise
from kdistill_core.phantom.lungs import LUNG_DENSITY, SIDES, hilum
from kdistill_core.phantom.scene import Scene
from kdistill_core.phantom.solids import cage_half_width
from kdistill_core.records import Severity, Side

Mask = NDArray[np.bool_]
SIZE = {Severity.SMALL: 0, Severity.MODERATE: 1, Severity.LARGE: 2}


def sides_of(disease: Disease) -> tuple[int, ...]:
    """Return the sides of a disease as signs of x."""
    if disease.side is Side.BILATERAL:
        return SIDES
    return (1,) if disease.side is Side.LEFT else (-1,)


def size_of(disease: Disease) -> int:
    """Return 0, 1 or 2 for small, moderate and large."""
    return SIZE[disease.severity or Severity.MODERATE]


def spot(scene: Scene, side: int, place: str, rng: np.random.Generator, margin: float = 0.25) -> tuple[float, float]:
    """Return x and y (mm) of a place in the aerated lung of ``side``, ``margin`` of its width away from its borders."""
    body = scene.body
    zone = {"upper zone": (0.16, 0.34), "mid zone": (0.42, 0.62), "lower zone": (0.70, 0.88)}[place]
    y = body.apex_y + (body.dome_y - body.apex_y) * float(rng.uniform(*zone))
    row = int(np.argmin(np.abs(scene.grid.y[:, 0] - y)))
    air = scene.cavity[side][row]
    aerated = np.flatnonzero(air > 0.45 * max(float(air.max()), 1e-3))
    if len(aerated) < 2:
        return side * 0.6 * float(cage_half_width(body, y)), y
    share = float(rng.uniform(margin, 1 - margin))
    column = aerated[0] + share * (aerated[-1] - aerated[0])
    return float(scene.grid.x[0, 0]) + float(column) * scene.grid.pitch_mm, y


def patch(
    scene: Scene, center: tuple[float, float], radii: tuple[float, float], rng: np.random.Generator, softness: float
) -> Map:
    """Return an irregular patch, 1 inside and falling to 0 over ``softness`` of its radius."""
    angle = float(rng.uniform(-0.6, 0.6))
    dx, dy = scene.grid.x - center[0], scene.grid.y - center[1]
    u = (dx * np.cos(angle) + dy * np.sin(angle)) / radii[0]
    v = (dy * np.cos(angle) - dx * np.sin(angle)) / radii[1]
    ragged = 0.20 * lattice_noise(scene.grid, rng, max(radii) * 0.5) + 0.06 * lattice_noise(scene.grid, rng, 7.0)
    reach = np.sqrt(u**2 + v**2) + ragged
    return np.asarray(expit((1 - reach) / softness), np.float32)


def fill(scene: Scene, side: int, share: Map, *, bronchogram: bool) -> None:
    """Replace ``share`` (0 to 1) of the lung's air by fluid; open bronchi within stay dark where asked."""
    lung = scene.lung[side]
    scene.lung[side] = lung * (1 - share)
    if bronchogram:
        scene.extra -= scene.vessels[side] * share * 1.5 * np.clip(lung / 45.0, 0, 1)


def consolidation(scene: Scene, disease: Disease, rng: np.random.Generator) -> Mask:
    """Fill a lobe or segment homogeneously, with air bronchograms."""
    total = scene.grid.zeros()
    for side in sides_of(disease):
        radius = (25.0, 36.0, 50.0)[size_of(disease)] * float(rng.uniform(0.9, 1.1))
        share = patch(scene, spot(scene, side, disease.place, rng), (radius, 0.85 * radius), rng, 0.15)
        share *= (scene.cavity[side] > 4) * np.float32(rng.uniform(0.6, 0.78))
        fill(scene, side, share, bronchogram=True)
        total = np.maximum(total, share)
    return np.asarray(total > 0.25)


def pneumonia(scene: Scene, disease: Disease, rng: np.random.Generator) -> Mask:
    """Fill several patches of a segment unevenly, fading into the surroundings."""
    total = scene.grid.zeros()
    for side in sides_of(disease):
        size = size_of(disease)
        center = spot(scene, side, disease.place, rng)
        share = scene.grid.zeros()
        for _ in range(2 + 2 * size):
            reach = 10.0 + 9 * size
            near = (center[0] + float(rng.normal(0, reach)), center[1] + float(rng.normal(0, reach)))
            radius = float(rng.uniform(12, 20)) + 4 * size
            share = np.maximum(share, patch(scene, near, (radius, radius), rng, 0.24))
        mottled = np.clip(0.72 + 0.28 * lattice_noise(scene.grid, rng, 6.0), 0.25, 1.2)
        share = np.asarray(share * mottled * 0.55 * (scene.cavity[side] > 4), np.float32)
        fill(scene, side, share, bronchogram=True)
        total = np.maximum(total, share)
    return np.asarray(blur(total, 3.0 / scene.grid.pitch_mm) > 0.17)


def opacity(scene: Scene, disease: Disease, rng: np.random.Generator) -> Mask:
    """Veil a zone with ground glass and reticular strands."""
    total = scene.grid.zeros()
    for side in sides_of(disease):
        radius = (24.0, 34.0, 46.0)[size_of(disease)]
        veil = patch(scene, spot(scene, side, disease.place, rng), (radius, radius), rng, 0.2)
        strands = 0.5 * lattice_noise(scene.grid, rng, 5.0) + 0.6 * lattice_noise(scene.grid, rng, 11.0)
        share = veil * np.clip(0.33 + 0.09 * strands, 0.08, 0.55)
        share = np.asarray(share * (scene.cavity[side] > 4), np.float32)
        fill(scene, side, share, bronchogram=False)
        total = np.maximum(total, np.asarray(veil * (scene.cavity[side] > 4), np.float32))
    return np.asarray(total > 0.45)


def lesion(scene: Scene, disease: Disease, rng: np.random.Generator) -> Mask:
    """Put a round nodule or mass of soft tissue into the lung; a third of the small ones have companions."""
    mask = np.zeros(scene.grid.shape, bool)
    size = size_of(disease)
    for side in sides_of(disease):
        count = 1 + int(rng.integers(1, 4)) * int(size == 0 and rng.random() < 0.3)
        for _ in range(count):
            radius = float(rng.uniform(*((7.5, 10.0), (12.0, 17.0), (22.0, 33.0))[size]))
            center = spot(scene, side, disease.place, rng, 0.3)
            dx, dy = scene.grid.x - center[0], scene.grid.y - center[1]
            bumpy = 1 + 0.09 * lattice_noise(scene.grid, rng, radius * 0.6)
            inside = 1 - (dx**2 + dy**2) / (radius * bumpy) ** 2
            thickness = np.asarray(2 * radius * np.sqrt(np.maximum(inside, 0)), np.float32)
            shown = blur(thickness, 0.8 / scene.grid.pitch_mm) * np.float32((1.8, 1.5, 1.15)[size])
            scene.extra += shown * (1 - LUNG_DENSITY)
            mask |= inside > 0
    return mask


def edema(scene: Scene, disease: Disease, rng: np.random.Generator) -> Mask:
    """Flood both lungs from the hila outwards: haze, thick vessels, septal lines at the bases."""
    size = size_of(disease)
    strength = (0.20, 0.33, 0.48)[size]
    mask = np.zeros(scene.grid.shape, bool)
    cloud = Cloud(scene.grid)
    for side in sides_of(disease):
        x, y = hilum(scene.body, side)
        reach = np.sqrt(((scene.grid.x - x) / 58) ** 2 + ((scene.grid.y - y - 14) / 74) ** 2)
        wing = np.exp(-((reach / 1.05) ** 2.6))
        clouds = np.clip(1 + 0.24 * lattice_noise(scene.grid, rng, 13.0), 0.2, 1.8)
        basal = np.clip((scene.grid.y - y) / 110, 0, 1) * 0.35
        share = np.clip(strength * (0.85 * wing + 0.36 + basal) * clouds, 0, 0.72)
        share = np.asarray(share * (scene.cavity[side] > 4), np.float32)
        fill(scene, side, share, bronchogram=False)
        scene.vessels[side] = scene.vessels[side] * np.float32(1.25 + 0.15 * size)
        _septal_lines(scene, cloud, side, rng, 10 + 8 * size)
        mask |= share > 0.55 * strength
    scene.extra += cloud.map()
    return mask


def _septal_lines(scene: Scene, cloud: Cloud, side: int, rng: np.random.Generator, count: int) -> None:
    """Kerley's B lines: short, horizontal, touching the chest wall above the angle."""
    body = scene.body
    for y in body.dome_y - rng.uniform(-18, 62, count):
        wall = float(cage_half_width(body, float(y)))
        length = float(rng.uniform(10, 20))
        line = np.array([[side * (wall - 1), y], [side * (wall - length), y + float(rng.normal(0, 2))]])
        add_tube(cloud, drawn_curve(scene.grid, line), 1.3)


def atelectasis(scene: Scene, disease: Disease, rng: np.random.Generator) -> Mask:
    """Let lung collapse: plates above the diaphragm, or a lobe, with the volume it lost (see deformation)."""
    mask = np.zeros(scene.grid.shape, bool)
    for side in sides_of(disease):
        mask |= _plates(scene, disease, side, rng) if disease.place == "base" else _lobe(scene, disease, side, rng)
    return mask


def _plates(scene: Scene, disease: Disease, side: int, rng: np.random.Generator) -> Mask:
    body, size = scene.body, size_of(disease)
    rise = scene.change.dome_rise_left if side > 0 else scene.change.dome_rise_right
    base = body.dome_y - rise + (body.dome_drop_left if side > 0 else 0)
    cloud = Cloud(scene.grid)
    for index in range(2 + size):
        y = base - 9 - 13 * index - float(rng.uniform(0, 5))
        middle, half = side * body.cage_half_width * float(rng.uniform(0.5, 0.68)), float(rng.uniform(22, 36))
        slope = float(rng.normal(0, 0.18))
        ends = np.array(
            [
                [middle - half, y - slope * half],
                [middle, y + float(rng.normal(1, 2.5))],
                [middle + half, y + slope * half],
            ]
        )
        curve = drawn_curve(scene.grid, ends)
        fading = np.sin(np.pi * np.linspace(0.04, 0.96, len(curve))) ** 0.7
        add_tube(cloud, curve, 2.6 + 0.7 * size, share=fading * float(rng.uniform(0.7, 1.0)))
    plates = blur(cloud.map(), 0.7 / scene.grid.pitch_mm) * np.clip(scene.cavity[side] / 40, 0, 1)
    # A plate is far deeper along the beam than it is high.
    added = plates * np.float32(1.9)
    scene.extra += added
    haze = np.clip(1 - np.abs(scene.grid.y - base) / 34, 0, 1) * (scene.cavity[side] > 4)
    near = np.exp(-(((scene.grid.x - side * body.cage_half_width * 0.55) / 46) ** 2))
    share = np.asarray((0.22 + 0.08 * size) * haze * near, np.float32)
    fill(scene, side, share, bronchogram=False)
    return np.asarray((added > 2.5) | (share > 0.11))


def _lobe(scene: Scene, disease: Disease, side: int, rng: np.random.Generator) -> Mask:
    """Collapse a lower lobe behind the heart or an upper lobe against the mediastinum: a wedge with one sharp edge."""
    body, size = scene.body, size_of(disease)
    x = (scene.grid.x - body.lean * scene.grid.y) * side
    y = scene.grid.y
    if disease.place == "lower lobe":
        edge = 22 + (0.34 + 0.10 * size) * (y - hilum(body, side)[1])
        wedge = expit((edge - x) / 2.2) * (y > hilum(body, side)[1])
    else:
        fissure = hilum(body, side)[1] - (34 - 7 * size) - 0.30 * (x - 30)
        wedge = expit((fissure - y) / 2.2)
    uneven = np.clip(1 + 0.12 * lattice_noise(scene.grid, rng, 18.0), 0.6, 1.3)
    share = np.asarray(np.clip(wedge * (0.52 + 0.09 * size) * uneven, 0, 0.85) * (scene.cavity[side] > 3), np.float32)
    fill(scene, side, share, bronchogram=False)
    return np.asarray(share > 0.28)
