"""A data set of five studies with something amiss in most of them, counted by hand in the tests that use it.

| study | split      | patient | images                          | report               | labels                  |
|-------|------------|---------|---------------------------------|----------------------|-------------------------|
| s1    | train      | p1      | a: PA; b: LATERAL               | findings, impression | Cardiomegaly 1, Edema 0 |
| s2    | train      | p2      | c: AP, its file is missing      | none                 | Cardiomegaly 0          |
| s3    | validation | p1      | d: view unknown, with a box     | impression           | Edema -1                |
| s4    | test       | (none)  | e: LATERAL                      | without a word       | all blank               |
| s5    |            | p5      | none                            | findings             | none                    |
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.datasets.contract import DataSet, Ledger, Part
from kdistill_core.records import Box, Finding, ImageSource, Patient, Region, Report, Study, StudyImage

PRESENT = "abde"


def findings(**states: State) -> tuple[Finding, ...]:
    return tuple(Finding(condition, states.get(condition.name, State.BLANK)) for condition in CONDITIONS)


def studies(folder: Path) -> list[Study]:
    def image(name: str, view: str, regions: tuple[Region, ...] = ()) -> StudyImage:
        return StudyImage(name, ImageSource(str(folder / f"{name}.png")), view, regions=regions)

    both = Report("FINDINGS: x. IMPRESSION: y.", {"findings": "x.", "impression": "y."})
    box = Region("Edema", Condition.EDEMA, Box(1, 2, 3, 4))
    return [
        Study("s1", Patient("p1"), (image("a", "PA"), image("b", "LATERAL")), both,
              findings(CARDIOMEGALY=State.POSITIVE, EDEMA=State.NEGATIVE), split="train"),
        Study("s2", Patient("p2"), (image("c", "AP"),), None, findings(CARDIOMEGALY=State.NEGATIVE), split="train"),
        Study("s3", Patient("p1"), (image("d", "", (box,)),), Report("IMPRESSION: y.", {"impression": "y."}),
              findings(EDEMA=State.UNCERTAIN), split="validation"),
        Study("s4", Patient(), (image("e", "LATERAL"),), Report(" \n"), findings(), split="test"),
        Study("s5", Patient("p5"), (), Report("FINDINGS: x.", {"findings": "x."})),
    ]  # fmt: skip


def small_set(folder: Path) -> DataSet:
    folder.mkdir(exist_ok=True)
    for seed, name in enumerate(PRESENT):
        pixels = np.random.default_rng(seed).integers(0, 256, (12, 10)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return DataSet(
        name="small",
        title="A small set",
        root=folder,
        parts=(
            Part("table.csv", "studies", True, folder / "table.csv"),
            Part("boxes.csv", "boxes", False),
        ),
        conditions=(Condition.CARDIOMEGALY, Condition.EDEMA),
        label_source="written by hand",
        splits="written by hand",
        iterate=partial(_iterate, folder),
        unmapped=(("Hernia", 3),),
    )


def _iterate(folder: Path, ledger: Ledger) -> Iterator[Study]:
    for study in studies(folder):
        for image in study.images:
            if image.id not in PRESENT:
                ledger.note("missing image", "The tables name this image, but its file is not there.", image.id)
        yield study
