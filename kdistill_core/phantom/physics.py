"""From path lengths to the signal of a detector: absorption, scatter, blur, quantum and electronic noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kdistill_core.phantom.grid import Grid, Map, blur

# Linear attenuation coefficients in 1/mm at 40, 60 and 80 keV: mass attenuation coefficients of NIST's tables
# (Hubbell and Seltzer, NISTIR 5632) times densities of 1.00 (water), 1.92 (cortical bone) and 7.87 g/cm3 (iron).
WATER_PER_MM = (0.02683, 0.02059, 0.01837)
BONE_PER_MM = (0.12776, 0.06044, 0.04281)
METAL_PER_MM = (2.8560, 0.9484, 0.4684)
# Shares of the detected energy, unattenuated, for a filtered spectrum of 100 to 125 kVp.
SPECTRUM = (0.22, 0.46, 0.32)


@dataclass(frozen=True)
class Acquisition:
    """How the picture was taken and processed.

    scatter: scattered relative to primary energy behind the patient's middle; photons_per_mm2: in the open beam.
    collimation: open field as shares of rows and columns (top, bottom, left, right), or None for all.
    """

    scatter: float
    photons_per_mm2: float
    focal_blur_mm: float
    detector_blur_mm: float
    grid_lines: float
    grid_period_mm: float
    collimation: tuple[float, float, float, float] | None
    collimated_white: bool
    range_compression: float
    edge_enhancement: float
    contrast: float
    brightness: float
    marker: str
    marker_place: tuple[float, float]
    monochrome1: bool
    computed_radiography: bool


def draw_acquisition(rng: np.random.Generator, view: str) -> Acquisition:
    """Return exposure, detector and processing; bedside pictures have no grid as a rule, and fewer photons."""
    bedside = view == "AP"
    without_grid = rng.random() < (0.65 if bedside else 0.1)
    collimated = rng.random() < 0.3
    edges = np.where(rng.random(4) < 0.5, rng.uniform(0.005, 0.05, 4), 0.0)
    right_marker = rng.random() < 0.45
    place = (float(rng.uniform(0.04, 0.14)), float(rng.uniform(0.06, 0.22)))
    return Acquisition(
        scatter=float(rng.uniform(0.5, 1.0) if without_grid else rng.uniform(0.12, 0.35)),
        photons_per_mm2=float(10 ** rng.normal(4.9 if bedside else 5.35, 0.25)),
        focal_blur_mm=float(rng.uniform(0.25, 0.6)),
        detector_blur_mm=float(rng.uniform(0.12, 0.3)),
        grid_lines=float(rng.uniform(0.002, 0.007)) if not without_grid and rng.random() < 0.12 else 0.0,
        grid_period_mm=float(rng.uniform(1.6, 3.2)),
        collimation=(float(edges[0]), float(edges[1]), float(edges[2]), float(edges[3])) if collimated else None,
        collimated_white=bool(rng.random() < 0.6),
        range_compression=float(rng.uniform(0.1, 0.45)),
        edge_enhancement=float(rng.uniform(0.1, 0.8)),
        contrast=float(np.clip(rng.normal(1.0, 0.2), 0.6, 1.6)),
        brightness=float(rng.normal(0.0, 0.14)),
        marker=("R" if right_marker else "L") if rng.random() < 0.75 else "",
        marker_place=place,
        monochrome1=bool(rng.random() < 0.2),
        computed_radiography=bool(rng.random() < 0.4),
    )


def transmitted(water: Map, bone: Map, metal: Map) -> Map:
    """Return the share of the beam's energy that passes (Beer-Lambert over three energies), float32 [rows, columns]."""
    total = np.zeros_like(water)
    for share, of_water, of_bone, of_metal in zip(SPECTRUM, WATER_PER_MM, BONE_PER_MM, METAL_PER_MM, strict=True):
        total += share * np.exp(-(of_water * water + of_bone * bone + of_metal * metal))
    return total


def add_scatter(primary: Map, water: Map, pitch_mm: float, scatter: float) -> Map:
    """Return primary plus scattered radiation.

    Scatter is what neighboring paths lose, spread over about 35 mm and a second time over 90 mm (air gap and body
    behave as two Gaussians), hence nearly even behind dense parts, where it counts most.
    """
    source = primary * (1 - np.exp(-water / 90.0))
    spread = 0.6 * blur(source, 28.0 / pitch_mm) + 0.4 * blur(source, 75.0 / pitch_mm)
    return np.asarray(primary + scatter * spread, np.float32)


def add_noise(signal: Map, grid: Grid, photons_per_mm2: float, blur_mm: float, rng: np.random.Generator) -> Map:
    """Return the signal as counted: quantum noise that follows the square root of the dose, a little electronic.

    The noise passes the detector's blur, so that its texture is correlated as on real detectors.
    """
    photons = photons_per_mm2 * grid.pitch_mm**2
    quantum = rng.standard_normal(grid.shape, dtype=np.float32) * np.sqrt(np.maximum(signal, 0) / photons)
    electronic = rng.standard_normal(grid.shape, dtype=np.float32) * np.float32(2.5 / photons)
    sigma = blur_mm / grid.pitch_mm
    return np.asarray(signal + blur(quantum, max(sigma, 0.35)) + electronic, np.float32)


def expose(water: Map, bone: Map, metal: Map, grid: Grid, acquisition: Acquisition, rng: np.random.Generator) -> Map:
    """Return the detector's signal, 1 in the open beam; rows and columns outside the collimator see scatter only."""
    primary = transmitted(water, bone, metal)
    signal = add_scatter(primary, water, grid.pitch_mm, acquisition.scatter)
    signal = blur(signal, acquisition.focal_blur_mm / grid.pitch_mm)
    if acquisition.grid_lines:
        phase = 2 * np.pi * grid.x / max(acquisition.grid_period_mm, 2.4 * grid.pitch_mm)
        signal = signal * (1 + acquisition.grid_lines * np.sin(phase)).astype(np.float32)
    if acquisition.collimation is not None:
        signal = signal * open_field(grid, acquisition.collimation)
    return add_noise(signal, grid, acquisition.photons_per_mm2, acquisition.detector_blur_mm, rng)


def open_field(grid: Grid, margins: tuple[float, float, float, float]) -> Map:
    """Return 1 inside the collimated field, a little scatter outside, with a penumbra of about a millimeter."""
    top, bottom, left, right = margins
    rows = np.arange(grid.rows)[:, None] / grid.rows
    columns = np.arange(grid.columns)[None, :] / grid.columns
    softness = 1.2 / (grid.pitch_mm * max(grid.shape))
    inside = np.ones(grid.shape)
    for distance, margin in ((rows, top), (1 - rows, bottom), (columns, left), (1 - columns, right)):
        if margin:
            inside = inside * np.clip((distance - margin) / softness + 0.5, 0, 1)
    return np.asarray(0.004 + 0.996 * inside, np.float32)
