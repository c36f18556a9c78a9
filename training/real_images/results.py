"""What came out of the finished cells: scores with intervals, comparisons paired over patients and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kdistill_core.conditions import Condition
from kdistill_core.datasets import Split
from kdistill_core.evaluation.label_counts import LabelCount, count_labels
from training.experiment.answers import Chosen, read_answers, read_chosen
from training.experiment.arms import ARMS, Arm
from training.experiment.cases import ExperimentCases
from training.experiment.errors import ExperimentError
from training.experiment.fitting import Curve
from training.experiment.folders import devices_of, is_finished, read_json
from training.experiment.running import CURVES
from training.experiment.scoring import RunStatistics
from training.experiment.statistics import ArmScore, Claim, Comparison, arm_score, compare, draw_scores
from training.real_images.cases import MAPPED, phantom_cases, real_cases
from training.real_images.cells import BOTH, PHANTOMS, REAL, Cell
from training.real_images.running import MACRO_AUC as VALIDATION_AUC
from training.real_images.scoring import ALL_SCORES, SCORES, blind_statistics, cell_statistics
from training.real_images.settings import RealImageSettings


@dataclass(frozen=True)
class Part:
    """How many images and patients a set has, and what is labeled of them; patients_with: those with a condition."""

    name: str
    images: int
    patients: int
    counts: dict[Condition, LabelCount]
    patients_with: dict[Condition, int]


@dataclass(frozen=True)
class Difference:
    """One comparison, by every score. title: such as ``both over real, arm d``."""

    title: str
    by_score: tuple[Comparison, ...]


@dataclass(frozen=True)
class Learned:
    """How the macro AUC on validation images went in one cell, mean over seeds, at the end of each part of it.

    best: the highest that was measured on the way, at any step; nothing is chosen by it.
    """

    cell: str
    after: dict[str, float]
    best: float


@dataclass(frozen=True)
class Results:
    """Everything that the page says. scores: by cell (:func:`key`) and name, those of all seeds that are finished.

    blind: by name, without looking at an image. devices: what cells were made on, and how many on each. whole: all that
    the configuration asks for is finished.
    """

    arms: tuple[Arm, ...]
    data: tuple[str, ...]
    seeds: tuple[int, ...]
    parts: tuple[Part, ...]
    scores: dict[tuple[str, str], ArmScore]
    blind: dict[str, float]
    by_data: tuple[Difference, ...]
    by_arm: tuple[Difference, ...]
    chosen: dict[str, tuple[Chosen, ...]]
    learned: tuple[Learned, ...]
    devices: tuple[tuple[str, int], ...]
    whole: bool


def key(data: str, arm: str) -> str:
    """Return the name of a cell over all seeds."""
    return f"{data} {arm}"


def gather(settings: RealImageSettings, out: Path, *, whole: RealImageSettings) -> Results:
    """Return the results of the arms and data of ``settings`` over the seeds that all of them have finished.

    whole: what the configuration asks for. Raises ExperimentError where no seed is finished.
    """
    kinds = [(data, arm) for data in settings.data for arm in settings.arms]
    seeds = [
        seed
        for seed in range(settings.seeds)
        if all(is_finished(Cell(data, arm, seed).folder(out)) for data, arm in kinds)
    ]
    if not seeds:
        raise ExperimentError(f"No seed is finished in {out}.", "Run it first.")
    folders = {key(*kind): [Cell(*kind, seed).folder(out) for seed in seeds] for kind in kinds}
    train, validation, test = (real_cases(settings, split) for split in Split)
    simulated = [_part(f"phantoms, seed {seed}, training", phantom_cases(settings, seed)) for seed in seeds]
    runs: dict[str, list[RunStatistics]] = {
        name: [cell_statistics(test, read_answers(folder)) for folder in of_cell] for name, of_cell in folders.items()
    }
    groups = test.patients
    draws = draw_scores(runs, ALL_SCORES, groups, settings.resamples)
    names = [name for name in SCORES if all((cell, name) in draws for cell in folders)]

    def differences(pairs: Sequence[tuple[str, str, str]]) -> tuple[Difference, ...]:
        return tuple(
            Difference(title, tuple(compare(Claim(one, (other,), name, False), draws, groups) for name in names))
            for title, one, other in pairs
            if one in folders and other in folders
        )

    real = (_part(f"real, {name}", cases) for name, cases in (("training", train), ("validation", validation)))
    blind = blind_statistics(test, count_labels(train.truth))
    return Results(
        tuple(ARMS[arm] for arm in settings.arms),
        settings.data,
        tuple(seeds),
        (*real, _part("real, test", test), *simulated),
        {at: arm_score(*at, drawn, groups) for at, drawn in draws.items()},
        {name: blind.value(name) for name in blind.by_name if blind.by_name[name]},
        differences(
            [
                (f"both over {other}, arm {arm}", key(BOTH, arm), key(other, arm))
                for other in (REAL, PHANTOMS)
                for arm in settings.arms
            ]
        ),
        differences(
            [
                (f"{arm} over b, on {data}", key(data, arm), key(data, "b"))
                for data in settings.data
                for arm in ("d", "c")
            ]
        ),
        {name: tuple(read_chosen(folder) for folder in of_cell) for name, of_cell in folders.items()},
        tuple(_learned(name, of_cell) for name, of_cell in folders.items()),
        devices_of([folder for of_cell in folders.values() for folder in of_cell]),
        len(seeds) == whole.seeds and set(settings.arms) == set(whole.arms) and set(settings.data) == set(whole.data),
    )


def _part(name: str, cases: ExperimentCases) -> Part:
    counts = count_labels(cases.truth)
    patients = {
        condition: len({cases.patients[at] for at in np.flatnonzero(cases.truth_table.column(condition) == 1)})
        for condition in MAPPED
    }
    known = {condition: counts[condition] for condition in MAPPED}
    return Part(name, len(cases), len(set(cases.patients)), known, patients)


def _learned(cell: str, folders: Sequence[Path]) -> Learned:
    curves: list[dict[str, Curve]] = [read_json(folder / CURVES) for folder in folders]
    name = f"validation/{VALIDATION_AUC}"
    measured = [{part: [at[name] for at in curve if name in at] for part, curve in one.items()} for one in curves]
    after = {part: sum(one[part][-1] for one in measured) / len(measured) for part in measured[0]}
    best = sum(max(value for values in one.values() for value in values) for one in measured) / len(measured)
    return Learned(cell, after, best)
