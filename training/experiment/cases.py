"""The cases of an experiment: images, what is known of them, and the reports that a training may read.

Phantoms come from a cache of pixels, their reports from reports.py.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kdistill_core.condition_table import ConditionTable, table_of_findings
from kdistill_core.datasets import Split
from kdistill_core.datasets.cache import Pixels, Report
from kdistill_core.datasets.prepared import prepare_phantoms
from kdistill_core.records import Finding
from training.experiment.errors import ExperimentError
from training.experiment.reports import ReportRead, ReportStore
from training.experiment.settings import CaseSettings

# Between the first seeds of two sets: far more than anyone simulates.
_SET_STRIDE, _TRAINING_STRIDE = 10_000_000, 1_000_000


@dataclass(frozen=True, eq=False)
class ChosenPixels:
    """Some of the images of others, in the order of ``places``."""

    pixels: Pixels
    places: NDArray[np.integer]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int | slice) -> NDArray[np.uint8]:
        """Return one image uint8 [S, S], or those of a slice [n, S, S]."""
        if isinstance(index, slice):
            return np.stack([self.pixels[int(at)] for at in self.places[index]])
        return self.pixels[int(self.places[index])]


@dataclass(frozen=True, eq=False)
class ExperimentCases:
    """Cases of one set, one image each.

    pixels: uint8 [N, S, S]. patients: of each case. truth: what the image shows, all 14 findings. reports: what is
    made of the text on each case, empty for cases that have none.
    """

    ids: tuple[str, ...]
    patients: tuple[str, ...]
    pixels: Pixels
    truth: tuple[tuple[Finding, ...], ...]
    reports: tuple[ReportRead, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def part(self, places: NDArray[np.integer]) -> ExperimentCases:
        """Return the cases at ``places``."""
        chosen = places.tolist()
        return ExperimentCases(
            tuple(self.ids[at] for at in chosen),
            tuple(self.patients[at] for at in chosen),
            ChosenPixels(self.pixels, places),
            tuple(self.truth[at] for at in chosen),
            tuple(self.reports[at] for at in chosen) if self.reports else (),
        )

    @property
    def truth_table(self) -> ConditionTable:
        """The truth as labels 1, 0 and NaN, float64 [N, K]."""
        return table_of_findings(self.ids, self.truth, self.patients)


def training_cases(settings: CaseSettings, size: int, seed: int, reports: ReportStore | None = None) -> ExperimentCases:
    """Return the training cases of a seed at ``size`` pixels, and what ``reports`` say. Raises ExperimentError."""
    start = settings.first_seed + 2 * _SET_STRIDE + seed * _TRAINING_STRIDE
    return _cases(settings, range(start, start + settings.train), size, Split.TRAIN, reports)


def held_out_cases(
    settings: CaseSettings, size: int, split: Split, reports: ReportStore | None = None
) -> ExperimentCases:
    """Return the validation or test cases, the same for all seeds. Raises ExperimentError."""
    count, place = {Split.VALIDATION: (settings.validation, 0), Split.TEST: (settings.test, 1)}[split]
    start = settings.first_seed + place * _SET_STRIDE
    return _cases(settings, range(start, start + count), size, split, reports)


def _cases(
    settings: CaseSettings, seeds: range, size: int, split: Split, reports: ReportStore | None
) -> ExperimentCases:
    cases = _phantoms(settings, seeds, size, split)
    return cases if reports is None else replace(cases, reports=reports.of(split.value, seeds, cases.truth))


def _phantoms(settings: CaseSettings, seeds: range, size: int, split: Split) -> ExperimentCases:
    cache = prepare_phantoms(
        settings.cache, seeds, settings.side, size, split.value, workers=settings.workers, report=_progress(split)
    )
    if cache.left_out:
        raise ExperimentError(
            f"{len(cache.left_out)} of {len(seeds)} phantoms could not be simulated: {cache.left_out[0].reason}",
            "Choose other seeds or sizes.",
        )
    ids = tuple(study.id for study in cache.studies)
    patients = tuple(study.patient.id for study in cache.studies)
    return ExperimentCases(ids, patients, cache.pixels, tuple(study.findings for study in cache.studies))


def _progress(split: Split, every_seconds: float = 20.0) -> Report:
    last = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= every_seconds:
            last = time.monotonic()
            print(f"simulating phantoms, {split}: {done} of {total}", flush=True)

    return report


def as_array(cases: ExperimentCases) -> NDArray[np.float32]:
    """Return the truth as float32 [N, K]."""
    return cases.truth_table.values.astype(np.float32)
