"""Who is imaged and how: habitus, pose, view and field, drawn once per seed and untouched by disease."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kdistill_core.phantom.grid import Grid, make_grid


@dataclass(frozen=True)
class Body:
    """One patient in one position; lengths in mm, angles in radians.

    shift_of_depth: how far a structure moves to the patient's left per mm that it lies in front of the middle
        (rotation about the long axis).
    """

    sex: str
    age: int
    view: str  # PA or AP
    cage_half_width: float
    cage_depth: float  # front to back, inside
    body_half_width: float
    body_depth: float
    apex_y: float
    dome_y: float  # top of the right dome
    dome_drop_left: float  # how much lower the left dome stands
    angle_depth: float  # costophrenic angle below the dome
    heart_width: float
    heart_depth: float
    heart_tilt: float
    aortic_knob: float
    mediastinum_width: float
    shift_of_depth: float
    lean: float  # x per y
    scoliosis: float  # mm
    breast_size: float  # 0 for none
    breast_y: float
    shoulder_y: float
    clavicle_slope: float
    scapula_inward: float  # mm that the scapulae reach over the lungs
    arm_angle: float
    bone_strength: float
    calcified_cartilage: float
    extent_mm: float
    center: tuple[float, float]
    magnification_per_mm: float  # of structures towards the tube
    tree_seed: int


def draw_body(rng: np.random.Generator) -> Body:
    """Return a patient and a position; AP views are supine or sitting in bed, with less air and wider hearts."""
    view = "AP" if rng.random() < 0.36 else "PA"
    bedside = view == "AP"
    sex = "F" if rng.random() < 0.46 else "M"
    age = int(np.clip(rng.normal(58, 17), 18, 94))
    stature = float(rng.normal(1.0 if sex == "M" else 0.93, 0.05))
    weight = float(np.clip(rng.gamma(3.0, 0.36), 0.25, 3.0))
    inspiration = float(np.clip(rng.normal(0.35 if bedside else 0.8, 0.28), -0.3, 1.3))
    cage = float(np.clip(rng.normal(137, 7), 116, 156)) * stature
    dome = (88 + 38 * inspiration) * stature + float(rng.normal(0, 5))
    female = sex == "F"
    return Body(
        sex=sex,
        age=age,
        view=view,
        cage_half_width=cage,
        cage_depth=float(rng.normal(150, 9)) * stature,
        body_half_width=cage + 20 + 20 * weight + float(rng.normal(0, 4)),
        body_depth=(188 + 30 * weight) * stature + float(rng.normal(0, 6)),
        apex_y=(-120 + float(rng.normal(0, 7))) * stature,
        dome_y=dome,
        dome_drop_left=float(rng.normal(9, 5)),
        angle_depth=float(np.clip(rng.normal(42, 8), 24, 62)),
        heart_width=float(rng.normal(0.93, 0.06)) * (1.1 if bedside else 1.0) * (1.08 - 0.08 * inspiration),
        heart_depth=float(rng.normal(92, 8)),
        heart_tilt=float(rng.normal(0, 1)),
        aortic_knob=float(np.clip(rng.normal(0.6 + 0.01 * (age - 55), 0.25), 0.1, 1.5)),
        mediastinum_width=float(rng.normal(1.0, 0.07)) * (1.12 if bedside else 1.0),
        shift_of_depth=float(rng.normal(0, 0.085 if bedside else 0.045)),
        lean=float(rng.normal(0, 0.045 if bedside else 0.02)),
        scoliosis=float(rng.normal(0, 4)),
        breast_size=float(np.clip(rng.gamma(4, 0.25) * (0.6 + 0.5 * weight), 0.25, 2.2)) if female else 0.0,
        breast_y=float(rng.normal(78, 14)),
        shoulder_y=float(rng.normal(-101, 8)) - (6 if bedside else 0),
        clavicle_slope=float(rng.normal(0.30 if bedside else 0.16, 0.09)),
        scapula_inward=float(np.clip(rng.normal(34 if bedside else 6, 10), -8, 55)),
        arm_angle=float(np.clip(rng.normal(0.12 if bedside else 0.32, 0.12), -0.05, 0.7)),
        bone_strength=float(np.clip(rng.normal(1.08 - 0.003 * (age - 50), 0.15), 0.6, 1.4)),
        calcified_cartilage=max(0.0, float(rng.normal((age - 55) / 40, 0.3))),
        extent_mm=float(np.clip(rng.normal(384, 32), 315, 465)) * float(np.clip(stature, 0.9, 1.06)),
        center=(float(rng.normal(0, 12 if bedside else 8)), 14 + float(rng.normal(0, 13))),
        magnification_per_mm=(1 if bedside else -1) / float(rng.normal(1050, 60) if bedside else 1830),
        tree_seed=int(rng.integers(2**31)),
    )


def field(body: Body, rows: int, columns: int) -> Grid:
    """Return the pixel grid; a narrow picture is drawn wide enough to hold both lungs."""
    extent = body.extent_mm
    narrow = min(rows, columns) / float(np.sqrt(rows * columns))
    extent = max(extent, 2.15 * body.cage_half_width / narrow)
    return make_grid(rows, columns, extent, body.center)
