"""Train a student from nothing to a checkpoint with its scores.

    python -m training.student --config training/configs/student-demo.yaml
    torchrun --nproc_per_node 2 -m training.student --config ...
    accelerate launch --config_file training/configs/accelerate-ddp.yaml -m training.student --config ...

Simulates phantoms and prepares real radiographs (once, cached), takes the teacher's rationale of every case, trains
tokenizer and student, keeps the best weights by validation, calibrates them, measures them on held-out cases and writes
the checkpoint with its model card. A run that was interrupted goes on where its last checkpoint stands.
Curves go to TensorBoard (`tensorboard --logdir OUT`) and, at the end, to a page, OUT/training.html.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from jsonargparse import auto_cli
from torch.utils.data import ConcatDataset
from transformers.utils import logging as library_logging

from kdistill_core.datasets import Split
from kdistill_core.datasets.cache import PixelCache
from kdistill_core.distillation.batches import Collator, DistillationDataset, Example
from kdistill_core.distillation.concepts import concepts_of
from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.objective import ALIGNMENT, CONCEPT, TEXT_TERMS, Vocabulary
from kdistill_core.distillation.on_policy import TeacherScores
from kdistill_core.distillation.sampling import balanced_weights, set_weights
from kdistill_core.distillation.targets import TeacherTargets
from kdistill_core.distillation.trainer import DistillationTrainer
from kdistill_core.distillation.validation import Budget, Validation
from kdistill_core.records import Finding
from kdistill_core.student import StudentConfig, StudentModel, StudentProcessor
from kdistill_core.student.loading import load_student, weights_sha256
from kdistill_core.student.tokenizer import train_tokenizer
from kdistill_core.teacher.knowledge import load_knowledge
from kdistill_core.teacher.library import RationaleLibrary
from training.student_data import DataSettings, prepare, taught_labels
from training.student_finish import finish_student
from training.student_page import write_student_page
from training.student_progress import PrintProgress
from training.student_scores import text_scores, validation_scores
from training.student_settings import ModelSettings, TrainerSettings, configuration_of
from training.student_targets import Asking

CHECKPOINTS = "checkpoints"
# The first process prepares the images of a large data set alone, for longer than others would wait by themselves.
_PATIENCE = timedelta(hours=6)


def train_student(
    out: Path,
    model: ModelSettings,
    data: DataSettings,
    training: TrainerSettings,
    library: Path | None = None,
    embeddings: Path | None = None,
    install: Path | None = None,
    threads: int | None = None,
    start: Path | None = None,
) -> None:
    """Train, select, calibrate, measure and write a student.

    out: folder of this run: checkpoints to go on from, and ``model`` at the end. library, embeddings: the teacher's
    rationales and their sentences' embeddings, by default the bundled ones; embeddings are read only where a stage
    weighs the alignment term. install: folder that the finished model is copied to. threads: processor threads, torch's
    own choice where None. start: folder of a student of this shape, such as another run's checkpoint with the files of
    its processor, whose weights and tokenizer this one goes on from; its images may have another size.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    library_logging.disable_progress_bar()
    torch.manual_seed(training.run.seed)
    # Asked for first: that there are no such weights is to be known before everything is prepared.
    begun_with = None if start is None else weights_sha256(start)
    with _processes().main_process_first():
        train = prepare(data, Split.TRAIN, model.image_size)
        validation = prepare(data, Split.VALIDATION, model.image_size)
        # What it is measured on comes last: that it is missing is to be known now, and not when all is trained.
        prepare(data, Split.TEST, model.image_size)
        asking = Asking(RationaleLibrary.load(library), embeddings, training, _stores(data))
        _say("asking the teacher for the rationale of every case")
        targets = asking.targets(train)
        processor = _processor(model, targets, out / "processor", start)
    student = new_student(model, training, processor, next(iter(targets.values())).embeddings.shape[1])
    if start is not None:
        start_from(start, student)
    millions = sum(parameter.numel() for parameter in student.parameters()) / 1e6
    _say(f"student of {millions:.2f} million parameters")
    trained = {
        name: DistillationDataset(cache, targets[name], labels=taught_labels(data, name, cache))
        for name, cache in train.items()
    }
    findings = next(iter(targets.values())).findings
    configuration = configuration_of(model, data, training)
    if begun_with is not None:
        configuration["start"] = begun_with
    trainer = _trainer(student, processor, trained, findings, training, out, configuration)
    measured = asking.targets(validation)
    told = {name: DistillationDataset(validation[name], measured[name]) for name in validation}
    validating = _validation(trainer, processor, validation, told, training, out)
    trainer.add_callback(validating)
    trainer.add_callback(Budget(trainer, _say))
    trainer.add_callback(PrintProgress(trainer, _say))
    trainer.train_on()
    validating.finish()
    if _processes().is_main_process:
        write_student_page(out, training.schedule, trainer.state.log_history, trainer.minutes)
        _say(f"done: {finish_student(out, data, train, validation, install, _note(begun_with))}")


def _stores(data: DataSettings) -> dict[str, Path]:
    """Return where rationales lie that were written for a set, by its name."""
    return {one.name: one.rationales for one in data.sets if one.rationales is not None}


def _processor(
    settings: ModelSettings, targets: dict[str, TeacherTargets], folder: Path, start: Path | None
) -> StudentProcessor:
    """Return the processor of this run; an interrupted run keeps its own.

    Its tokenizer is that of ``start``, or else trained on all targets.
    """
    if (folder / "tokenizer.json").is_file():
        return StudentProcessor.from_pretrained(folder, local_files_only=True)
    if start is not None:
        tokenizer = load_student(start)[1].tokenizer
    else:
        texts = (text for part in targets.values() for versions in part.texts for text in versions)
        tokenizer = train_tokenizer(texts, settings.vocabulary)
    processor = StudentProcessor(tokenizer, image_size=settings.image_size)
    processor.save_pretrained(folder)
    return processor


def new_student(
    settings: ModelSettings, training: TrainerSettings, processor: StudentProcessor, alignment_size: int
) -> StudentModel:
    """Return a student of ``settings`` that has learned nothing; alignment_size: of the teacher's embeddings, or 0."""
    tokenizer = processor.tokenizer
    special = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    config = StudentConfig(
        backbone_config=settings.backbone,
        text_config={**settings.text, "vocab_size": len(tokenizer), **special},
        image_size=settings.image_size,
        feature_size=settings.feature_size,
        query_heads=settings.query_heads,
        visual_grid=settings.visual_grid,
        alignment_size=alignment_size or settings.feature_size,
        dropout=settings.dropout,
        condition_alignment=bool(training.weighs(ALIGNMENT) and training.alignment.condition_weight),
        concepts=[one.name for one in concepts_of(load_knowledge())] if training.weighs(CONCEPT) else [],
    )
    student = StudentModel(config)
    # Nearly halves the backbone's time on a CPU.
    student.vision.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return student


def start_from(folder: Path, student: StudentModel) -> None:
    """Give ``student`` the weights of the one in ``folder``.

    Raises StudentError where none can be loaded, DistillationError where it is of another shape.
    """
    given, own = load_student(folder)[0].state_dict(), student.state_dict()
    other = sorted(
        name for name in {*given, *own} if name not in given or name not in own or given[name].shape != own[name].shape
    )
    if other:
        raise DistillationError(
            f"The student in {folder} has another shape: {len(other)} weights differ, such as {other[0]}.",
            "Give this run the `model` settings and terms of that one, or train without `start`.",
        )
    student.load_state_dict(given)


def _note(begun_with: str | None) -> str:
    return f"Its training began with the weights of an earlier run (sha256 `{begun_with}`)." if begun_with else ""


def _trainer(
    student: StudentModel,
    processor: StudentProcessor,
    sets: dict[str, DistillationDataset],
    findings: Sequence[Sequence[Finding]],
    settings: TrainerSettings,
    out: Path,
    configuration: dict[str, Any],
) -> DistillationTrainer:
    by_set = set_weights({name: len(cases) for name, cases in sets.items()}, settings.set_shares)
    labels = np.concatenate([cases.labels for cases in sets.values()])
    return DistillationTrainer(
        student,
        ConcatDataset(list(sets.values())),
        Collator(processor, settings.text_length, settings.augmentation, settings.run.seed),
        settings.objective_on(labels),
        settings.schedule,
        settings.run,
        out / CHECKPOINTS,
        weights=balanced_weights(labels, settings.balance, by_set),
        configuration=configuration,
        scores=_scores(processor, settings, findings),
    )


def _scores(
    processor: StudentProcessor, settings: TrainerSettings, findings: Sequence[Sequence[Finding]]
) -> TeacherScores | None:
    """Return the teacher that scores texts while the student trains, where there is to be one."""
    if settings.on_policy is None:
        return None
    scores = TeacherScores.load(processor, settings.on_policy, findings, settings.run.seed)
    if not scores.shares_vocabulary and settings.distillation.vocabulary is not Vocabulary.OTHER:
        raise DistillationError(
            f"The tokens of the teacher {settings.on_policy.teacher} are not the student's.",
            "Set `distillation.vocabulary` to other, which compares how likely tokens are without their names.",
        )
    return scores


def _validation(
    trainer: DistillationTrainer,
    processor: StudentProcessor,
    sets: dict[str, PixelCache],
    told: dict[str, DistillationDataset],
    settings: TrainerSettings,
    out: Path,
) -> Validation:
    collate = Collator(processor, settings.text_length)
    writes = any(settings.weighs(term) for term in TEXT_TERMS)
    batches = [collate(part) for cases in told.values() for part in _first(cases, settings)] if writes else []

    def validate(model: StudentModel) -> dict[str, float]:
        scores = validation_scores(model, processor, sets)
        return {**scores, **text_scores(model, batches)} if batches else scores

    return Validation(trainer, validate, settings.validation, processor, out, _say)


def _first(cases: DistillationDataset, settings: TrainerSettings) -> list[list[Example]]:
    """Return the first cases on which texts are measured, in batches."""
    chosen = [cases[index] for index in range(min(len(cases), settings.reliance_cases))]
    size = settings.run.batch_size
    return [chosen[start : start + size] for start in range(0, len(chosen), size)]


def _processes() -> PartialState:
    """Return the processes of this run; without a GPU they talk by gloo, which has to be asked for."""
    return PartialState(cpu=not torch.cuda.is_available(), timeout=_PATIENCE)


def _say(line: str) -> None:
    if _processes().is_main_process:
        print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def main(args: list[str] | None = None) -> None:
    """Run the command line."""
    auto_cli(train_student, as_positional=False, args=args)


if __name__ == "__main__":
    main()
