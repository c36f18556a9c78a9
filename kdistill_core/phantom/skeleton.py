"""Ribs with their cartilage, spine, clavicles, scapulae, humeri and sternum, as path lengths through bone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kdistill_core.phantom.bands import Cloud, add_band, drawn_curve, hollow_chord, project, samples_for
from kdistill_core.phantom.body import Body
from kdistill_core.phantom.grid import Grid, Map, Points
from kdistill_core.phantom.solids import cage_half_width, midline, shift

_RIBS = 11


@dataclass(frozen=True, eq=False)
class Break:
    """A fracture of a rib: where along it (0 at the spine, 1 at its front end) and how far its ends part (mm)."""

    side: int
    rib: int
    at: float
    offset: float


def rib_spacing(body: Body) -> float:
    """Return the vertical distance of neighboring ribs at the spine (mm)."""
    return (body.dome_y + body.angle_depth - body.apex_y) / 10.2


def rib_curve(body: Body, rib: int, side: int, along: Points) -> Points:
    """Return points [n, 3] on the middle of a rib at ``along`` in [0, 1]; beyond 1 lies the costal cartilage.

    The rib leaves the spine rising slightly, turns round the chest wall and comes down steeply in front.
    """
    end = {0: 2.45, 1: 2.45, 9: 1.75, 10: 1.45}.get(rib, 2.5 - 0.02 * rib)
    angle = 0.10 + along * (end - 0.10)
    start = body.apex_y + 3 + rib * rib_spacing(body) * (1 - 0.012 * (rib - 5))
    drop = np.interp(rib, [0, 1, 3, 6, 10], [38, 58, 88, 112, 118]) * (rib_spacing(body) / 26)
    y = start + drop * (0.5 - 0.5 * np.cos(angle)) - 5 * np.sin(2 * angle)
    lateral = start + drop * 0.5
    width = float(cage_half_width(body, lateral)) + 3.5
    depth = body.cage_depth * (0.34 + 0.16 * min(rib, 5) / 5) + 4
    x = side * (12 + (width - 12) * np.sin(np.minimum(angle, np.pi)) ** 0.82)
    z = -depth * np.cos(angle)
    return np.stack([x, y, z], axis=-1)


def add_ribs(cloud: Cloud, body: Body, rng: np.random.Generator, breaks: tuple[Break, ...] = ()) -> None:
    """Add all ribs and what is calcified of their cartilage."""
    wobble = rng.normal(0, 1, (2, _RIBS, 3))
    calcified = rng.random((2, _RIBS))
    for index, side in enumerate((-1, 1)):
        for rib in range(_RIBS):
            count = samples_for(cloud.grid, 2.1 * body.cage_half_width)
            along = np.linspace(0, 1, count)
            curve = rib_curve(body, rib, side, along)
            curve[:, 1] += 1.6 * wobble[index, rib, 0] + 1.5 * wobble[index, rib, 1] * np.sin(3 * along)
            half = (5.0 + 1.6 * np.sin(np.pi * np.minimum(along * 1.1, 1))) * (1 + 0.05 * wobble[index, rib, 2])
            taper = np.clip((1 - along) * 22, 0.35, 1)
            strength = body.bone_strength * (1.0 if rib else 0.8)
            pieces = _pieces(curve, along, [b for b in breaks if b.side == side and b.rib == rib])
            for part, kept in pieces:
                # Seen along its edge the thin rib would be a white line: there the beam grazes curved cortex only.
                grazing = 1 - 0.6 * np.sin(0.1 + along[kept] * 2.35) ** 10
                add_band(cloud, body, part, (half * taper)[kept], 5.5 * strength * grazing[:, None], 0.24, 0.22)
            if body.calcified_cartilage > 0.1 and 0 < rib < 9:
                _add_cartilage(cloud, body, rib, side, calcified[index, rib])


def _pieces(curve: Points, along: Points, breaks: list[Break]) -> list[tuple[Points, NDArray[np.bool_]]]:
    """Cut a rib at its breaks; each piece in front of a break is displaced, with a gap between."""
    if not breaks:
        return [(curve, np.ones(len(curve), bool))]
    pieces, low = [], -1.0
    moved = np.zeros(2)
    for fracture in [*sorted(breaks, key=lambda b: b.at), None]:
        high = fracture.at - 0.013 if fracture else 2.0
        kept = (along > low) & (along <= high)
        if kept.sum() > 3:
            part = curve[kept].copy()
            part[:, :2] += moved
            pieces.append((part, kept))
        if fracture:
            low = fracture.at + 0.013
            moved = moved + np.array([0.25 * fracture.side * fracture.offset, fracture.offset])
    return pieces


def _add_cartilage(cloud: Cloud, body: Body, rib: int, side: int, amount: float) -> None:
    strength = min(body.calcified_cartilage * (0.3 + amount), 1.0)
    front = rib_curve(body, rib, side, np.array([0.97, 1.0]))
    end = np.array([side * 16.0, front[1, 1] - (6 if rib < 3 else 18 + 3 * rib), front[1, 2] + 12])
    middle = front[1] + (end - front[1]) * 0.45 + np.array([0, 7.0, 0])
    curve = drawn_curve(cloud.grid, np.array([front[0], front[1], middle, front[1] + (end - front[1]) * 0.8]))
    add_band(cloud, body, curve, 5.2, 2.6 * strength, 0.3, 0.25)


def add_shoulders(cloud: Cloud, body: Body) -> None:
    """Add clavicles, scapulae and humeri, joined at the shoulder joint."""
    for side in (-1, 1):
        joint = np.array([side * (body.body_half_width * 0.86 - 4), body.shoulder_y + 6.0, -15.0])
        _add_clavicle(cloud, body, side, joint)
        _add_humerus(cloud, body, side, joint)
        _add_scapula(cloud, body, side, joint)


def _add_clavicle(cloud: Cloud, body: Body, side: int, joint: Points) -> None:
    medial = np.array([side * 15.0, body.apex_y + 44 - 18 * (body.view == "AP"), 55.0])
    lateral = joint + np.array([-side * 6.0, -16.0, 5.0])
    span = lateral - medial
    lateral[1] = min(lateral[1], medial[1] + 4 - body.clavicle_slope * abs(span[0]))
    span = lateral - medial
    bow = np.array([0.0, 5.0, 16.0])
    controls = np.array(
        [medial, medial + 0.3 * span + 0.8 * bow, medial + 0.62 * span - 0.3 * bow, medial + 0.85 * span, lateral]
    )
    curve = drawn_curve(cloud.grid, controls)
    along = np.linspace(0, 1, len(curve))
    half = 5.2 + 3.0 * np.exp(-along / 0.09) + 1.8 * np.exp((along - 1) / 0.1)
    add_band(cloud, body, curve, half, 11.0 * body.bone_strength, 0.28, 0.2)


def _add_humerus(cloud: Cloud, body: Body, side: int, joint: Points) -> None:
    """Add the head as a hollow ball in its socket and the shaft that leaves it downwards."""
    head = joint + np.array([side * 15.0, 9.0, 5.0])
    # Slices of a ball: rings of equal area, so that few points weigh it evenly.
    count = max(64, int(4 * (22 / cloud.grid.pitch_mm) ** 2))
    index = np.arange(count) + 0.5
    share, turn = np.sqrt(index / count), index * 2.399963
    disc = head + 22 * share[:, None] * np.stack([np.cos(turn), np.sin(turn), np.zeros(count)], axis=1)
    x, y = project(body, disc)
    cloud.add(x, y, np.pi * 22**2 / count * 24 * body.bone_strength * hollow_chord(share, 0.05, 0.3))
    length = 340.0
    direction = np.array([side * np.sin(body.arm_angle), np.cos(body.arm_angle), 0.0])
    along = np.linspace(0, 1, samples_for(cloud.grid, length))
    shaft = head + direction * (length * along)[:, None] + np.array([side * 3.0, 0, 0])
    xy = np.stack(project(body, shaft), axis=1)
    radius = 11.5 + 9.5 * np.exp(-((along * length / 34) ** 2))
    step = length / len(along)
    count = max(6, int(np.ceil(40 / (0.7 * cloud.grid.pitch_mm))))
    across = (np.arange(count) + 0.5) / count * 2 - 1
    normal = np.array([direction[1], -direction[0]])
    points = xy[:, None, :] + (radius[:, None] * across)[..., None] * normal
    wall = 0.07 + 0.25 * np.clip(along / 0.25, 0, 1)
    chord = hollow_chord(across[None, :], wall[:, None], 0.12)
    # The head lies over the first centimeters of the shaft and must not be counted twice.
    begins = np.clip((along * length - 2) / 20, 0, 1)
    volume = step * radius * (2 / count) * (2 * 8.0) * body.bone_strength * begins
    cloud.add(points[..., 0], points[..., 1], volume[:, None] * chord)


def _add_scapula(cloud: Cloud, body: Body, side: int, joint: Points) -> None:
    """Add borders and a thin blade; the blade hangs from the joint and reaches over the lung by scapula_inward."""
    inner = joint[0] - side * (52 + body.scapula_inward)
    superior = np.array([inner, joint[1] - 18, -80.0])
    inferior = np.array([inner + side * 12, joint[1] + 118, -88.0])
    glenoid = joint + np.array([-side * 4.0, 8.0, -5.0])
    acromion = joint + np.array([side * 10.0, -17.0, -8.0])
    borders: list[tuple[list[Points], float, float]] = [
        ([glenoid, (glenoid + inferior) / 2 + np.array([-side * 8.0, -4, 0]), inferior], 4.2, 7.0),
        ([superior, (superior + inferior) / 2 + np.array([-side * 6.0, 0, 0]), inferior], 2.2, 3.5),
        ([superior, (superior + glenoid) / 2 + np.array([0.0, 8.0, 0]), glenoid], 2.6, 4.0),
        ([superior + np.array([0, 26.0, 0]), (superior + acromion) / 2 + np.array([0, 6.0, 0]), acromion], 4.0, 5.0),
        ([glenoid + np.array([0, -14.0, 0]), glenoid, glenoid + np.array([0, 16.0, 0])], 5.0, 8.0),
    ]
    for controls, half, depth in borders:
        curve = drawn_curve(cloud.grid, np.array(controls))
        xy = np.stack(project(body, curve), axis=1)
        _add_ridge(cloud, xy, half, 1.35 * depth * body.bone_strength)
    count = samples_for(cloud.grid, 70, 0.8)
    u, v = np.meshgrid(np.linspace(0, 1, count), np.linspace(0, 1, count))
    blade = superior + u[..., None] * (glenoid - superior) + (v * (1 - u))[..., None] * (inferior - superior)
    x, y = project(body, blade)
    area = abs((glenoid - superior)[0] * (inferior - superior)[1]) / count**2
    cloud.add(x, y, 1.9 * body.bone_strength * area * (1 - u))


def _add_ridge(cloud: Cloud, xy: Points, half: float, depth: float) -> None:
    step = np.gradient(xy, axis=0)
    length = np.linalg.norm(step, axis=1, keepdims=True)
    normal = np.stack([-step[:, 1], step[:, 0]], axis=1) / np.maximum(length, 1e-9)
    count = max(4, int(np.ceil(2 * half / (0.7 * cloud.grid.pitch_mm))))
    across = (np.arange(count) + 0.5) / count * 2 - 1
    points = xy[:, None, :] + normal[:, None, :] * (half * across)[None, :, None]
    cloud.add(points[..., 0], points[..., 1], length * (2 * half / count) * depth * 0.42 * (1 - across**2)[None, :])


def spine(body: Body, grid: Grid) -> Map:
    """Return the path length through vertebral bodies, pedicles and spinous processes (mm of dense bone)."""
    axis = midline(body, grid) + shift(body, -55)
    half = np.interp(grid.y, [-150, -80, 120, 220], [12.5, 14.5, 18.5, 22]).astype(np.float32)
    spacing = np.interp(grid.y, [-150, -80, 120, 220], [17.0, 20.0, 25.0, 30]).astype(np.float32)
    phase = (np.cumsum(grid.pitch_mm / spacing, axis=0) + float(grid.y[0, 0]) / 22.0) % 1.0
    columns = np.abs(grid.x[0] - float(axis.mean())) < 60
    x = grid.x[:, columns]
    across = (x - axis) / half
    height = np.clip(np.minimum(phase - 0.11, 0.89 - phase) * spacing / 1.6, 0, 1)
    waist = 1 + 0.10 * (np.abs(phase - 0.5) * 2) ** 2
    body_chord = np.sqrt(np.maximum(1 - (across / waist) ** 4, 0))
    endplate = np.exp(-(((np.minimum(phase, 1 - phase) - 0.14) * spacing / 1.5) ** 2))
    bone = (1.6 + 1.7 * height) * body_chord + 1.0 * endplate * body_chord
    bone += 1.1 * height * np.exp(-(((np.abs(across) - 0.93) * half / 1.5) ** 2))
    pedicle_x, pedicle_y = (np.abs(across) - 0.62) * half / 3.4, (phase - 0.40) * spacing / 4.8
    bone += 1.7 * np.exp(-((pedicle_x**2 + pedicle_y**2) ** 2))
    process = (x - axis - shift(body, -50)) / 2.6
    bone += 2.0 * np.exp(-(process**2)) * np.exp(-(((phase - 0.72) * spacing / 6.0) ** 2))
    lateral = np.clip((np.abs(across) - 0.9) * half / 3, 0, 1) * np.clip((1.85 - np.abs(across)) * half / 5, 0, 1)
    bone += 1.3 * lateral * np.exp(-(((phase - 0.36) * spacing / 4.0) ** 2))
    total = grid.zeros()
    total[:, columns] = bone * body.bone_strength
    return total
