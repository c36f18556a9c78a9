"""The work of an experiment as tasks: shared classifiers and heads, tries of the tuning, runs that are reported."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from transformers.utils import logging as library_logging

from kdistill_core.datasets import Split
from kdistill_core.distillation.reading import BASELINE_LABELER
from kdistill_core.distillation.soft_labels import SoftLabels
from kdistill_core.student import StudentModel
from training.experiment.answers import answer
from training.experiment.arms import Arm, Labels, arm_named
from training.experiment.cases import held_out_cases
from training.experiment.examples import ArmExamples
from training.experiment.fitting import (
    HEADS,
    TEXTS,
    Curve,
    Fit,
    fit,
    laid_out,
    objective_of,
    stages_of,
    terms_of,
)
from training.experiment.folders import CHECKPOINTS, enter, finish, read_json, slug, write_json
from training.experiment.materials import Materials, curve_scores, materials
from training.experiment.settings import Choice, ExperimentSettings, of_a_run
from training.experiment.softening import OutOfFold, out_of_fold, soft_labels_of
from training.experiment.targets import arm_targets

# Settings, by group, that nothing depends on before an arm with heads learns texts.
_OF_TEXTS = {
    "budget": ("decoder", "all", "decoder_rate", "all_rate"),
    "weights": ("generation", "distillation"),
}
CURVES, SOFT, OUT_OF_FOLD = "curves.json", "soft-labels.json", "out-of-fold.npz"


class Kind(StrEnum):
    """What a task does."""

    READ = "reports"
    SOFTEN = "out-of-fold classifiers"
    HEADS = "heads"
    TRY = "try"
    RUN = "run"


@dataclass(frozen=True)
class Task:
    """A piece of work that one process does. arm: empty for what all arms share.

    beams: whether a run also searches for the most likely text, which takes longer than all else that it writes. Every
    try does; a run only where that was its arm's best decoder in tuning.
    """

    kind: Kind
    noise: str
    seed: int
    arm: str = ""
    choice: Choice = field(default_factory=Choice)
    beams: bool = False

    @property
    def name(self) -> str:
        parts = (self.noise, f"arm {self.arm}" if self.arm else "", f"seed {self.seed}", self.kind.value)
        shown = ", ".join(part for part in parts if part)
        return f"{shown} ({self.choice.name})" if self.kind is Kind.TRY else shown


def folder_of(task: Task, out: Path) -> Path:
    """Return where a task leaves its work."""
    shared = out / task.noise / "shared" / f"seed-{task.seed}"
    match task.kind:
        case Kind.READ:
            return shared / "reports"
        case Kind.SOFTEN:
            return shared / "soft-labels"
        case Kind.HEADS:
            return shared / slug(f"{arm_named(task.arm).heads_name} rate {task.choice.rate:g}")
        case Kind.TRY:
            return out / "tuning" / task.noise / task.arm / slug(task.choice.name)
        case Kind.RUN:
            return out / task.noise / task.arm / f"seed-{task.seed}"


def needs(task: Task) -> tuple[Task, ...]:
    """Return the tasks that have to be done before."""
    if task.kind is Kind.READ:
        return ()
    before = [Task(Kind.READ, task.noise, task.seed)]
    if task.kind is Kind.SOFTEN:
        return tuple(before)
    arm = arm_named(task.arm)
    if arm.labels is Labels.SOFT:
        before.append(Task(Kind.SOFTEN, task.noise, task.seed))
    if arm.has_heads and task.kind is not Kind.HEADS:
        before.append(heads_of(task))
    return tuple(before)


def heads_of(task: Task) -> Task:
    """Return the task that trains the heads of a run; the same one for arms that have the same."""
    arm = arm_named(task.arm)
    for name in ("b", "b+", "d", "d+", "f"):
        # The first arm of these heads stands for all.
        if arm_named(name).heads_name == arm.heads_name:
            return Task(Kind.HEADS, task.noise, task.seed, name, Choice(task.choice.rate))
    return Task(Kind.HEADS, task.noise, task.seed, task.arm, Choice(task.choice.rate))


def do(task: Task, settings: ExperimentSettings, out: Path) -> float:
    """Do ``task`` if it is not done; return the seconds that it took. Raises KDistillError."""
    started = time.monotonic()
    library_logging.disable_progress_bar()
    folder, made_with = folder_of(task, out), made_with_of(task, settings)
    if enter(folder, made_with):
        return 0.0
    shared = materials(
        settings, settings.noise(task.noise), task.seed, out / task.noise / "shared" / f"seed-{task.seed}"
    )
    try:
        match task.kind:
            case Kind.READ:
                pass  # asking for the materials reads and keeps them
            case Kind.SOFTEN:
                _soften(task, settings, shared, folder, made_with)
            case Kind.HEADS:
                _train_heads(task, settings, shared, out, made_with)
            case Kind.TRY | Kind.RUN:
                _train_texts(task, settings, shared, out, made_with)
    finally:
        # Of a GPU that many processes share, what one has used before is not there for the others.
        torch.cuda.empty_cache()
    finish(folder, made_with, time.monotonic() - started)
    return time.monotonic() - started


def made_with_of(task: Task, settings: ExperimentSettings) -> dict[str, Any]:
    """Return everything that a task's work follows from: of what comes before all texts, nothing about texts."""
    made_with = of_a_run(
        settings,
        noise=msgspec.to_builtins(settings.noise(task.noise)),
        arm=msgspec.to_builtins(arm_named(task.arm)) if task.arm else "",
        choice=msgspec.to_builtins(task.choice),
        beams=_beams(task),
        seed=task.seed,
        kind=task.kind.value,
        labeler=f"{BASELINE_LABELER.name} {BASELINE_LABELER.version}",
    )
    if task.kind in (Kind.READ, Kind.SOFTEN, Kind.HEADS):
        for group, names in _OF_TEXTS.items():
            made_with[group] = {name: value for name, value in made_with[group].items() if name not in names}
    # So that what one arm is tried with does not make the others' runs void.
    terms = terms_of(arm_named(task.arm)) if task.arm else frozenset({"classification"})
    made_with["weights"] = {name: weight for name, weight in made_with["weights"].items() if name in terms}
    return made_with


def _soften(
    task: Task, settings: ExperimentSettings, shared: Materials, folder: Path, made_with: dict[str, Any]
) -> None:
    predicted = out_of_fold(
        shared.training, shared.processor, settings, Choice(), task.seed, folder / CHECKPOINTS, made_with
    )
    np.savez(folder / OUT_OF_FOLD, logits=predicted.logits, folds=predicted.folds)
    records = soft_labels_of(shared.training, predicted, settings).records
    write_json(folder / SOFT, msgspec.to_builtins(records))


def _soft_labels(task: Task, settings: ExperimentSettings, shared: Materials, out: Path) -> SoftLabels | None:
    if arm_named(task.arm).labels is not Labels.SOFT:
        return None
    with np.load(folder_of(Task(Kind.SOFTEN, task.noise, task.seed), out) / OUT_OF_FOLD) as arrays:
        predicted = OutOfFold(arrays["logits"], arrays["folds"])
    return soft_labels_of(shared.training, predicted, settings)


def _train_heads(
    task: Task, settings: ExperimentSettings, shared: Materials, out: Path, made_with: dict[str, Any]
) -> None:
    arm, folder = arm_named(task.arm), folder_of(task, out)
    student = shared.new_student(settings, task.seed)
    curve = _fit_part(arm, HEADS, student, task, settings, shared, out, made_with)
    student.save_pretrained(folder / "student")
    write_json(folder / CURVES, curve)


def _train_texts(
    task: Task, settings: ExperimentSettings, shared: Materials, out: Path, made_with: dict[str, Any]
) -> None:
    arm, folder = arm_named(task.arm), folder_of(task, out)
    curves: dict[str, Curve] = {}
    if arm.has_heads:
        heads = folder_of(heads_of(task), out)
        student = laid_out(StudentModel.from_pretrained(heads / "student"))
        curves[HEADS] = read_json(heads / CURVES)
    else:
        student = shared.new_student(settings, task.seed)
        curves[HEADS] = _fit_part(arm, HEADS, student, task, settings, shared, out, made_with)
    curves[TEXTS] = _fit_part(arm, TEXTS, student, task, settings, shared, out, made_with)
    write_json(folder / CURVES, curves)
    size = settings.student.image_size
    test = held_out_cases(settings.cases, size, Split.TEST) if task.kind is Kind.RUN else None
    processor, samples = shared.processor, settings.decoding_samples
    answer(arm, student, processor, shared.validation, test, samples, task.seed, folder, beams=_beams(task))


def _beams(task: Task) -> bool:
    return task.kind is Kind.TRY or task.beams


def _fit_part(
    arm: Arm,
    part: str,
    student: StudentModel,
    task: Task,
    settings: ExperimentSettings,
    shared: Materials,
    out: Path,
    made_with: dict[str, Any],
) -> Curve:
    targets = arm_targets(arm, shared.training, shared.teacher, _soft_labels(task, settings, shared, out))
    texts = part == TEXTS or not arm.has_heads
    work = Fit(
        part,
        stages_of(arm, part, settings, task.choice),
        objective_of(arm, settings, task.choice),
        task.seed,
        {**made_with, "part": part},
        curve_scores(arm, shared, settings, texts=texts),
    )
    examples = ArmExamples(shared.training, targets, settings.variants)
    return fit(student, examples, shared.processor, settings, work, folder_of(task, out) / CHECKPOINTS / part)
