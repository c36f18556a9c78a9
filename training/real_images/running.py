"""The work of one cell, which is to train through its phases and to answer, and of all."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from transformers.utils import logging as library_logging

from kdistill_core.datasets import Split
from kdistill_core.evaluation.classification import macro_auc
from kdistill_core.student import StudentModel, StudentProcessor
from kdistill_core.student.tokenizer import train_tokenizer
from kdistill_core.teacher.embedding import StoredEmbeddings, TeacherEmbedder
from kdistill_core.teacher.library import RationaleLibrary
from training.experiment.answers import answer
from training.experiment.arms import Arm, arm_named
from training.experiment.cases import ExperimentCases, as_array
from training.experiment.decoding import condition_logits
from training.experiment.examples import ArmExamples
from training.experiment.fitting import HEADS, TEXTS, Curve, Fit, Validate, fit, new_student, objective_of, stages_of
from training.experiment.folders import CHECKPOINTS, enter, finish, write_json
from training.experiment.keeping import archive_of, keep, was_finished
from training.experiment.pool import Say, run_jobs
from training.experiment.running import CURVES
from training.experiment.targets import ArmTargets, TeacherHelp, arm_targets
from training.real_images.cases import UNMAPPED, joined, phantom_cases, real_cases, with_label_texts
from training.real_images.cells import DATA, Cell, Images, budgets
from training.real_images.settings import RealImageSettings

MACRO_AUC = "macro AUC"
# The order of images in one phase is not that of the phase before.
_PHASE_STRIDE = 1_000_000
# A condition that no label speaks of counts as absent from the start, for the text too: its logit is never learned.
_ABSENT_LOGIT = -12.0


@dataclass(frozen=True, eq=False)
class Materials:
    """What the cells of a seed have in common."""

    real: ExperimentCases
    phantoms: ExperimentCases
    validation: ExperimentCases
    test: ExperimentCases
    processor: StudentProcessor
    teacher: TeacherHelp
    alignment_size: int

    def images(self, kind: Images) -> ExperimentCases:
        """Return the training cases of one phase."""
        match kind:
            case Images.REAL:
                return self.real
            case Images.PHANTOMS:
                return self.phantoms
            case Images.MIXED:
                return joined(self.phantoms, self.real)


def materials(settings: RealImageSettings, seed: int) -> Materials:
    """Return what the cells of ``seed`` share. Raises ExperimentError where images are missing."""
    library, embedder = _library(), _embedder()
    # The sentences of the labels are among the library's, so that one tokenizer suits the texts of all arms.
    processor = StudentProcessor(
        train_tokenizer(library.texts(), settings.student.vocabulary), image_size=settings.student.image_size
    )
    return Materials(
        real=with_label_texts(real_cases(settings, Split.TRAIN), library),
        phantoms=with_label_texts(phantom_cases(settings, seed), library),
        validation=real_cases(settings, Split.VALIDATION),
        test=real_cases(settings, Split.TEST),
        processor=processor,
        teacher=TeacherHelp(library, embedder, processor.tokenizer, settings.variants),
        alignment_size=embedder.dimensions,
    )


def targets_of(arm: Arm, cases: ExperimentCases, teacher: TeacherHelp) -> ArmTargets:
    """Return what ``arm`` learns of ``cases``: texts as in the experiment on phantoms, and labels as they are given."""
    return replace(arm_targets(arm, cases, teacher, None), labels=as_array(cases))


def run_cells(
    cells: Sequence[Cell], settings: RealImageSettings, out: Path, workers: int, say: Say, kept: Path | None = None
) -> None:
    """Do those of ``cells`` that are not finished. Raises KDistillError.

    workers: processes side by side; see :func:`training.experiment.pool.run_jobs`. kept: folder of archives, where
    cells are looked for and put when they are done.
    """
    open_cells = [cell for cell in cells if not was_finished(cell.folder(out), out, settings.made_with(cell), kept)]
    started, ended = time.monotonic(), list[Cell]()

    @cache
    def prepare(seed: int) -> None:
        """Make what the cells of a seed share here, not in each of them side by side."""
        say(f"preparing the images of seed {seed}")
        materials(settings, seed)

    def done(cell: Cell) -> None:
        ended.append(cell)
        left = (time.monotonic() - started) / len(ended) * (len(open_cells) - len(ended)) / 60
        say(f"{len(ended)} of {len(open_cells)}: {cell.name}; {left:.0f} min left")
        if kept is not None:
            folder = cell.folder(out)
            keep(folder, archive_of(folder, out, kept))

    work = partial(do, settings=settings, out=out)
    run_jobs(open_cells, work, workers, before=lambda cell: prepare(cell.seed), done=done, say=say)


def do(cell: Cell, settings: RealImageSettings, out: Path) -> bool:
    """Train ``cell`` and let it answer, from its newest checkpoint; return False if it was finished already.

    Raises KDistillError.
    """
    started = time.monotonic()
    library_logging.disable_progress_bar()
    folder, made_with = cell.folder(out), settings.made_with(cell)
    if enter(folder, made_with):
        return False
    arm, shared = arm_named(cell.arm), materials(settings, cell.seed)
    student = new_student(settings.harness, shared.processor, cell.seed, shared.alignment_size)
    without_unmapped(student)
    write_json(folder / CURVES, _train(arm, student, cell, settings, shared, made_with, folder / CHECKPOINTS))
    samples = settings.decoding_samples
    processor, seed = shared.processor, cell.seed
    answer(arm, student, processor, shared.validation, shared.test, samples, seed, folder, beams=settings.beams)
    finish(folder, made_with, time.monotonic() - started)
    return True


def without_unmapped(student: StudentModel) -> None:
    """Let an untrained ``student`` say of conditions without labels that they are absent."""
    places = [student.config.conditions.index(condition.value) for condition in UNMAPPED]
    student.condition_queries.bias.data[places] = _ABSENT_LOGIT


def _train(
    arm: Arm,
    student: StudentModel,
    cell: Cell,
    settings: RealImageSettings,
    shared: Materials,
    made_with: Mapping[str, Any],
    checkpoints: Path,
) -> dict[str, Curve]:
    """Train through all phases; return the curve of each part."""
    phases, curves = DATA[cell.data], dict[str, Curve]()
    for number, (kind, budget) in enumerate(zip(phases, budgets(settings.budget, len(phases)), strict=True)):
        harness = replace(settings.harness, budget=budget)
        cases = shared.images(kind)
        examples = ArmExamples(cases, targets_of(arm, cases, shared.teacher), settings.variants)
        for part in (HEADS, TEXTS):
            name = f"{kind.value}: {part}"
            work = Fit(
                part,
                stages_of(arm, part, harness, settings.choice),
                objective_of(arm, harness, settings.choice),
                cell.seed + number * _PHASE_STRIDE,
                {**made_with, "part": name},
                _measuring(shared),
            )
            into = checkpoints / f"phase-{number}-{part}"
            curves[name] = fit(student, examples, shared.processor, harness, work, into)
    return curves


def _measuring(shared: Materials) -> Validate:
    gold = as_array(shared.validation)

    def measure(student: StudentModel) -> dict[str, float]:
        logits = condition_logits(student, shared.processor, shared.validation.pixels)
        return {MACRO_AUC: macro_auc(logits, gold)}

    return measure


@cache
def _library() -> RationaleLibrary:
    return RationaleLibrary.load()


@cache
def _embedder() -> TeacherEmbedder:
    return TeacherEmbedder(stored=StoredEmbeddings.load())
