"""Support devices: tubes, catheters, pacemakers, electrodes, drains and sternal wires.

Each device adds its metal (mm of iron) and plastic (mm of water) and returns where it lies.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from kdistill_core.phantom.bands import Cloud, add_tube, drawn_curve
from kdistill_core.phantom.disease import Disease
from kdistill_core.phantom.grid import Map, Points, blur
from kdistill_core.phantom.lungs import airway_courses
from kdistill_core.phantom.opacities import sides_of
from kdistill_core.phantom.scene import Scene
from kdistill_core.phantom.solids import cage_half_width, shift

Mask = NDArray[np.bool_]


def device(scene: Scene, disease: Disease, rng: np.random.Generator) -> Mask:
    """Add the device named by the place of ``disease``."""
    makers = {
        "endotracheal tube": _endotracheal_tube,
        "central venous catheter": _central_line,
        "nasogastric tube": _nasogastric_tube,
        "pacemaker": _pacemaker,
        "ECG leads": _electrodes,
        "chest drain": _drain,
        "sternal wires": _sternal_wires,
    }
    metal, plastic = Cloud(scene.grid), Cloud(scene.grid)
    solid = makers[disease.place](scene, disease, rng, metal, plastic)
    of_metal, of_plastic = metal.map() + solid, plastic.map()
    scene.metal += blur(of_metal, 0.2 / scene.grid.pitch_mm)
    scene.extra += of_plastic
    there = (of_metal > 0.02) | (of_plastic > 0.6)
    return np.asarray(binary_dilation(there, iterations=max(1, round(1.5 / scene.grid.pitch_mm))))


def _line(scene: Scene, controls: list[tuple[float, float]]) -> Points:
    return drawn_curve(scene.grid, np.array(controls, np.float64))


def _spine_x(scene: Scene, y: float) -> float:
    return scene.body.lean * y + shift(scene.body, 20) + scene.change.mediastinal_shift * 0.7


def _endotracheal_tube(scene: Scene, _disease: Disease, rng: np.random.Generator, metal: Cloud, plastic: Cloud) -> Map:
    course, _radius = airway_courses(scene.body, scene.change.mediastinal_shift)[0]
    curve = drawn_curve(scene.grid, course)
    tip = float(course[-1, 1]) - float(rng.uniform(18, 55))
    tube = curve[curve[:, 1] < tip]
    add_tube(plastic, tube, 5.2, wall=0.28, filling=0.0)
    add_tube(metal, tube + np.array([3.4, 0.0]), 0.75, share=0.68)
    return scene.grid.zeros()


def _central_line(scene: Scene, disease: Disease, rng: np.random.Generator, metal: Cloud, plastic: Cloud) -> Map:
    side = sides_of(disease)[0]
    top, x = scene.body.apex_y, _spine_x(scene, 0)
    tip = (x - 21, float(rng.uniform(6, 42)))
    cava = (x - 24, top + 68)
    if rng.random() < 0.6:
        entry = [(x + side * 44, top - 62), (x + side * 36, top - 12), (x + side * 27, top + 26)]
    else:
        entry = [(x + side * 105, top + 22), (x + side * 72, top + 12), (x + side * 34, top + 28)]
    bridge = [(x + 4, top + 48)] if side > 0 else []
    curve = _line(scene, [*entry, *bridge, cava, tip])
    add_tube(metal, curve, 1.15, share=0.32)
    add_tube(plastic, curve, 1.3)
    return scene.grid.zeros()


def _nasogastric_tube(scene: Scene, _disease: Disease, rng: np.random.Generator, metal: Cloud, plastic: Cloud) -> Map:
    body = scene.body
    x, dome = _spine_x(scene, 0), body.dome_y + body.dome_drop_left
    end = (x + float(rng.uniform(48, 85)), dome + float(rng.uniform(28, 62)))
    controls = [(x + 3, body.apex_y - 75), (x + 2, -55), (x + 4, 5), (x + 7, 60), (x + 18, dome + 4), end]
    curve = _line(scene, controls)
    add_tube(plastic, curve, 2.5, wall=0.3, filling=0.0)
    add_tube(metal, curve, 0.8, share=0.62)
    return scene.grid.zeros()


def _pacemaker(scene: Scene, disease: Disease, rng: np.random.Generator, metal: Cloud, plastic: Cloud) -> Map:
    side = sides_of(disease)[0]
    body = scene.body
    x, top = _spine_x(scene, 0), body.apex_y
    box = (side * body.cage_half_width * float(rng.uniform(0.66, 0.8)), top + float(rng.uniform(44, 66)))
    dx, dy = np.abs(scene.grid.x - box[0]) / 23, np.abs(scene.grid.y - box[1]) / 20
    inside = np.clip((1 - (dx**3.2 + dy**3.2) ** (1 / 3.2)) * 20 / scene.grid.pitch_mm + 0.5, 0, 1)
    core = np.clip((0.72 - (dx**3.2 + (dy * 1.35 - 0.2) ** 4) ** (1 / 3.2)) * 14 / scene.grid.pitch_mm, 0, 1)
    vein = [(box[0] - side * 16, box[1] - 22), (x + side * 52, top + 24), (x + side * 16, top + 40)]
    cava = [(x - 20, top + 72), (x - 24, 18)]
    ends: list[list[tuple[float, float]]] = [
        [(x - 30, 62), (x + 16, 98), (x + 46, body.dome_y - 8)],
        [(x - 36, 52), (x - 44, 66), (x - 26, 74)],
    ]
    for end in ends[: 1 + int(rng.random() < 0.65)]:
        curve = _line(scene, [*vein, *cava, *end])
        add_tube(metal, curve, 1.05, share=0.42)
        add_tube(metal, curve[-max(3, len(curve) // 30) :], 1.5)
        add_tube(plastic, curve, 1.4)
    return np.asarray(inside * 1.1 + core * 1.6, np.float32)


def _electrodes(scene: Scene, _disease: Disease, rng: np.random.Generator, metal: Cloud, plastic: Cloud) -> Map:
    body = scene.body
    total = scene.grid.zeros()
    width, top = body.cage_half_width, body.apex_y
    places = [(-0.62, top + 34), (0.66, top + 38), (-0.82, body.dome_y + 8), (0.86, body.dome_y + 2), (0.12, 40.0)]
    exit_point = (float(rng.uniform(0.7, 1.1)) * width * (1 if rng.random() < 0.5 else -1), body.dome_y + 95)
    for share, height in places[: int(rng.integers(3, 6))]:
        x, y = share * width + float(rng.normal(0, 9)), height + float(rng.normal(0, 9))
        distance = np.sqrt((scene.grid.x - x) ** 2 + (scene.grid.y - y) ** 2)
        total += np.asarray(0.55 * np.clip((5.2 - distance) / scene.grid.pitch_mm + 0.5, 0, 1), np.float32)
        bend = (x * 0.6 + exit_point[0] * 0.4 + float(rng.normal(0, 22)), y + 0.45 * (exit_point[1] - y))
        wire = _line(scene, [(x, y), (x + float(rng.normal(0, 10)), y + 22), bend, exit_point])
        add_tube(metal, wire, 0.9, share=0.42)
        add_tube(plastic, wire, 1.5)
    return total


def _drain(scene: Scene, disease: Disease, rng: np.random.Generator, metal: Cloud, plastic: Cloud) -> Map:
    side = sides_of(disease)[0]
    body = scene.body
    entry_y = body.dome_y - float(rng.uniform(18, 55))
    wall = float(cage_half_width(body, entry_y))
    upper = (side * 0.55 * body.cage_half_width, body.apex_y + float(rng.uniform(28, 60)))
    middle = (side * 0.74 * body.cage_half_width, (entry_y + upper[1]) / 2)
    curve = _line(scene, [(side * (wall + 70), entry_y + 52), (side * (wall + 2), entry_y), middle, upper])
    add_tube(plastic, curve, 4.6, wall=0.25, filling=0.0)
    holes = np.linspace(0, 1, len(curve))
    gap = (holes > 0.74) & (holes < 0.74 + 14 / max(len(curve) * 0.7 * scene.grid.pitch_mm, 1))
    add_tube(metal, curve + np.array([0.0, -3.2]), 0.8, share=np.where(gap, 0.0, 0.8))
    return scene.grid.zeros()


def _sternal_wires(scene: Scene, _disease: Disease, rng: np.random.Generator, metal: Cloud, _plastic: Cloud) -> Map:
    body = scene.body
    angle = np.linspace(0, 2 * np.pi, max(24, int(70 / scene.grid.pitch_mm)))
    for index in range(int(rng.integers(5, 8))):
        y = body.apex_y + 62 + 21 * index + float(rng.normal(0, 2))
        x = body.lean * y + shift(body, 80) + float(rng.normal(0, 1.5))
        wide, high = float(rng.uniform(8, 11)), float(rng.uniform(4.0, 7.0))
        loop = np.stack([x + wide * np.cos(angle), y + high * np.sin(angle) + 0.2 * wide * np.cos(angle)], axis=1)
        add_tube(metal, loop, 0.6, share=1.0)
        add_tube(metal, np.array([[x, y + high], [x + 2.5, y + high + 3.0], [x + 1.0, y + high + 5.0]]), 0.8)
    return scene.grid.zeros()
