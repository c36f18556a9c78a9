"""A simulated case: radiograph, truth, masks, and a report with what it says."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from kdistill_core.conditions import CONDITIONS, Condition
from kdistill_core.phantom.body import Body, draw_body, field
from kdistill_core.phantom.chest_wall import cardiac_silhouette, deformation, fracture, rib_breaks
from kdistill_core.phantom.devices import device
from kdistill_core.phantom.disease import IMPLIES, Disease, complete, draw_diseases, truth
from kdistill_core.phantom.display import encode, marked, masked, optical_density, process
from kdistill_core.phantom.errors import PhantomError
from kdistill_core.phantom.opacities import atelectasis, consolidation, edema, lesion, opacity, pneumonia
from kdistill_core.phantom.physics import Acquisition, add_scatter, draw_acquisition, expose, transmitted
from kdistill_core.phantom.pleura import effusion, pleural_other, pneumothorax
from kdistill_core.phantom.report import ReportStyle, write_report
from kdistill_core.phantom.scene import Scene, build_scene
from kdistill_core.phantom.skeleton import Break
from kdistill_core.records import Finding, ImageSource, Patient, Radiograph, Report, Spacing, SpacingSource, Window

Mask = NDArray[np.bool_]
SMALLEST, LARGEST = 32, 8192
_STREAMS = ("body", "texture", "acquisition", "noise", "choice", "shape", "report")
# Pleural disease comes after disease of the lung, because it displaces what is in the lung; devices come last.
_LUNG_ORDER = (
    (Condition.EDEMA, edema),
    (Condition.LUNG_OPACITY, opacity),
    (Condition.CONSOLIDATION, consolidation),
    (Condition.PNEUMONIA, pneumonia),
    (Condition.ATELECTASIS, atelectasis),
    (Condition.LUNG_LESION, lesion),
    (Condition.PNEUMOTHORAX, pneumothorax),
    (Condition.PLEURAL_OTHER, pleural_other),
    (Condition.PLEURAL_EFFUSION, effusion),
    (Condition.SUPPORT_DEVICES, device),
)


@dataclass(frozen=True, eq=False)
class PhantomCase:
    """One simulated case with its complete truth.

    findings: what the image shows, all 14 in the order of ``CONDITIONS``, positive or negative, closed under the
        hierarchy of :mod:`kdistill_core.phantom.disease`.
    masks: bool [rows, columns] of every positive condition but No Finding, in the geometry of the radiograph.
    reported: what the report says, all 14, blank where it says nothing; it may differ from ``findings``.
    diseases: what was simulated, device by device and patch by patch.
    """

    seed: int
    radiograph: Radiograph
    findings: tuple[Finding, ...]
    masks: dict[Condition, Mask]
    report: Report
    reported: tuple[Finding, ...]
    diseases: tuple[Disease, ...]


def simulate(
    seed: int,
    rows: int,
    columns: int,
    findings: Sequence[Disease] | None = None,
    style: ReportStyle | None = None,
) -> PhantomCase:
    """Return the phantom of ``seed`` at ``rows`` by ``columns`` pixels.

    findings: what to show; None draws it. The anatomy, the exposure and the noise of a seed do not depend on it.
    style: how the report is written; None draws an author.
    Raises PhantomError for impossible sizes or findings.
    """
    if not (SMALLEST <= rows <= LARGEST and SMALLEST <= columns <= LARGEST):
        raise PhantomError(
            f"A phantom of {rows} by {columns} pixels cannot be simulated.",
            f"Choose sizes from {SMALLEST} to {LARGEST}.",
        )
    if seed < 0:
        raise PhantomError(f"{seed} is not a seed.", "Choose a whole number from 0.")
    # The maps are small: more than one BLAS thread costs two to three times the processor time and saves nothing.
    with _blas().limit(limits=1, user_api="blas"):
        return _simulated(seed, rows, columns, findings, style)


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


def _simulated(
    seed: int, rows: int, columns: int, findings: Sequence[Disease] | None, style: ReportStyle | None
) -> PhantomCase:
    streams = {name: np.random.default_rng([seed, index]) for index, name in enumerate(_STREAMS)}
    body = draw_body(streams["body"])
    grid = field(body, rows, columns)
    acquisition = draw_acquisition(streams["acquisition"], body.view)
    choice = streams["choice"]
    diseases = draw_diseases(choice, body.view) if findings is None else complete(findings, choice)
    shapes = {c: np.random.default_rng([seed, len(_STREAMS), i]) for i, c in enumerate(CONDITIONS)}
    breaks = rib_breaks(diseases, shapes[Condition.FRACTURE])
    change = deformation(body, diseases, streams["shape"])
    scene = build_scene(body, grid, streams["texture"], change, breaks)
    reference = _reference(scene, acquisition)
    masks = show(scene, diseases, breaks, shapes)
    signal = expose(scene.water(), scene.bone, scene.metal, grid, acquisition, streams["noise"])
    density = optical_density(signal)
    values = process(density, grid, acquisition, reference)
    pixels = encode(marked(masked(values, grid, acquisition), grid, acquisition), acquisition)
    found = truth(diseases)
    report, reported = write_report(found, diseases, body, streams["report"], style)
    radiograph = _radiograph(pixels, seed, body, acquisition, grid.pitch_mm)
    return PhantomCase(seed, radiograph, found, masks, report, reported, diseases)


def show(
    scene: Scene,
    diseases: Sequence[Disease],
    breaks: tuple[Break, ...],
    shapes: dict[Condition, np.random.Generator],
) -> dict[Condition, Mask]:
    """Change ``scene`` to show ``diseases`` and return one mask per positive condition, parents included."""
    masks: dict[Condition, Mask] = {}

    def join(condition: Condition, mask: Mask) -> None:
        masks[condition] = masks[condition] | mask if condition in masks else mask

    for condition, apply in _LUNG_ORDER:
        for disease in diseases:
            if disease.condition is condition:
                join(condition, apply(scene, disease, shapes[condition]))
    present = {disease.condition for disease in diseases}
    if Condition.FRACTURE in present:
        join(Condition.FRACTURE, fracture(scene, breaks, shapes[Condition.FRACTURE]))
    if Condition.CARDIOMEGALY in present:
        join(Condition.CARDIOMEGALY, cardiac_silhouette(scene))
    if present & {Condition.CARDIOMEGALY, Condition.ENLARGED_CARDIOMEDIASTINUM}:
        join(Condition.ENLARGED_CARDIOMEDIASTINUM, scene.silhouette)
    for child, parent in IMPLIES.items():
        if child in masks and child is not Condition.CARDIOMEGALY:
            join(parent, masks[child])
    return {condition: masks[condition] for condition in CONDITIONS if condition in masks}


def _reference(scene: Scene, acquisition: Acquisition) -> tuple[float, float]:
    """Return the density of this body's healthy lung and mediastinum, which set the window.

    Taken before disease is shown: a window that followed the disease would hide what is diffuse, like edema.
    """
    every = max(1, min(scene.grid.shape) // 64)
    water, bone, metal = (part[::every, ::every] for part in (scene.water(), scene.bone, scene.metal))
    primary = transmitted(water, bone, metal)
    signal = add_scatter(primary, water, scene.grid.pitch_mm * every, acquisition.scatter)
    density = optical_density(signal)
    cavity = (scene.cavity[-1] + scene.cavity[1])[::every, ::every]
    deep = cavity > 0.55 * scene.body.cage_depth
    lung = density[deep] if deep.sum() > 16 else density[cavity > 0]
    dense = density[scene.silhouette[::every, ::every]]
    low = float(np.percentile(lung, 30)) if lung.size else float(density.min())
    high = float(np.percentile(dense, 60)) if dense.size else float(density.max())
    return low, max(high, low + 0.4)


def _radiograph(
    pixels: NDArray[np.float32], seed: int, body: Body, acquisition: Acquisition, pitch_mm: float
) -> Radiograph:
    digest = hashlib.sha256(pixels.astype("<u2").tobytes()).hexdigest()
    uid = f"2.25.{int(digest[:30], 16)}"
    spacing = Spacing(round(pitch_mm, 5), round(pitch_mm, 5), SpacingSource.DETECTOR)
    return Radiograph(
        pixels=pixels,
        source=ImageSource(path=f"phantom-{seed:06d}"),
        sha256=digest,
        inverted=acquisition.monochrome1,
        windows=(Window(2048.0, 4096.0, "NORMAL"),),
        spacing=spacing,
        bits_stored=12,
        modality="CR" if acquisition.computed_radiography else "DX",
        body_part="CHEST",
        view_position=body.view,
        patient_orientation=("L", "F"),
        patient=Patient(id=f"PHANTOM-{seed:06d}", name=f"PHANTOM^{seed:04d}", sex=body.sex, age=f"{body.age:03d}Y"),
        study_uid=f"{uid}1",
        series_uid=f"{uid}2",
        instance_uid=f"{uid}3",
        study_date="20000101",
        study_description="CHEST SIMULATED",
        series_description=f"{body.view} simulated",
        manufacturer="K-Distill phantom",
        burned_in_annotation=False,
    )
