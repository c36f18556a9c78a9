"""Train a student from nothing to a checkpoint with its scores.

    python -m training.student --config training/configs/student-demo.yaml

Simulates phantoms and prepares real radiographs (once, cached), lets the teacher write the rationale of every case,
trains tokenizer and student, keeps the best weights by validation, calibrates them, measures them on held-out cases and
writes the checkpoint with its model card. A run that was interrupted goes on where its last checkpoint stands.
"""

from __future__ import annotations

import shlex
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jsonargparse import auto_cli
from numpy.typing import NDArray
from torch.utils.data import ConcatDataset
from transformers import PrinterCallback, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from kdistill_core.condition_table import ConditionTable
from kdistill_core.conditions import CONDITIONS
from kdistill_core.datasets import Split
from kdistill_core.datasets.cache import PixelCache
from kdistill_core.distillation.augmentation import Augmentation
from kdistill_core.distillation.batches import Collator, DistillationDataset
from kdistill_core.distillation.losses import UncertainPolicy
from kdistill_core.distillation.objective import ALIGNMENT, Objective
from kdistill_core.distillation.schedule import Schedule, Stage
from kdistill_core.distillation.targets import Embed, TeacherTargets, teacher_targets
from kdistill_core.distillation.trainer import DistillationTrainer, KeepBest, SaveOnTime
from kdistill_core.evaluation.calibration import CalibrationMethod, fit_calibration
from kdistill_core.evaluation.label_counts import count_labels, write_label_counts
from kdistill_core.evaluation.stored_calibration import store_calibration
from kdistill_core.evaluation.thresholds import HeldOut, choose_thresholds
from kdistill_core.student import StudentConfig, StudentModel, StudentProcessor
from kdistill_core.student.loading import load_student
from kdistill_core.student.tokenizer import train_tokenizer
from kdistill_core.teacher.embedding import StoredEmbeddings, TeacherEmbedder
from kdistill_core.teacher.library import RationaleLibrary
from training.evaluate_student import evaluate_student
from training.student_data import DataSettings, labels_of, prepare
from training.student_progress import PrintProgress
from training.student_scores import condition_logits, validation_score


@dataclass
class ModelSettings:
    """The student's shape; see :class:`kdistill_core.student.configuration.StudentConfig`.

    vocabulary: entries of the tokenizer. text: configuration of the language model, without its vocabulary.
    """

    backbone: dict[str, Any]
    text: dict[str, Any]
    image_size: int = 160
    feature_size: int = 192
    query_heads: int = 2
    visual_grid: int = 3
    dropout: float = 0.1
    vocabulary: int = 2048


@dataclass
class TrainerSettings:
    """How the training runs.

    max_minutes: wall clock of the training proper, over all interruptions; stages are shares of it.
    set_shares: how often a training case comes from each set. text_length: longest target in tokens.
    variants: versions of a rationale that take turns. told_share: see
    :class:`kdistill_core.distillation.objective.Objective`. uncertain: policy of all conditions.
    """

    max_minutes: float = 45.0
    stages: list[Stage] = field(default_factory=list)
    batch_size: int = 32
    weight_decay: float = 0.05
    set_shares: dict[str, float] = field(default_factory=lambda: {"phantom": 0.5, "nih": 0.5})
    text_length: int = 256
    variants: int = 3
    temperature: float = 0.1
    told_share: float = 0.8
    uncertain: UncertainPolicy = UncertainPolicy.IGNORE
    augmentation: Augmentation = field(default_factory=Augmentation)
    bf16: bool = False
    checkpoint_minutes: float = 5.0
    validation_minutes: float = 5.0
    log_steps: int = 25
    seed: int = 0


def train_student(
    out: Path,
    model: ModelSettings,
    data: DataSettings,
    training: TrainerSettings,
    library: Path | None = None,
    embeddings: Path | None = None,
    install: Path | None = None,
) -> None:
    """Train, select, calibrate, measure and write a student.

    out: folder of this run: checkpoints to go on from, and ``model`` at the end. library, embeddings: the teacher's
    rationales and their sentences' embeddings, by default the bundled ones; embeddings are read only where a stage
    weighs the alignment term. install: folder that the finished model is copied to.
    """
    torch.manual_seed(training.seed)
    train = prepare(data, Split.TRAIN, model.image_size)
    validation = prepare(data, Split.VALIDATION, model.image_size)
    teacher = RationaleLibrary.load(library)
    aligned = any(stage.weights.get(ALIGNMENT) for stage in training.stages)
    embed = TeacherEmbedder(stored=StoredEmbeddings.load(embeddings)) if aligned else None
    print("asking the teacher for the rationale of every case", flush=True)
    targets = _targets(train, teacher, embed, training.variants)
    processor = _processor(model, targets, out / "processor")
    student = _new_student(model, processor, next(iter(targets.values())).embeddings.shape[1])
    millions = sum(parameter.numel() for parameter in student.parameters()) / 1e6
    print(f"student of {millions:.2f} million parameters", flush=True)
    _train(student, processor, train, targets, validation, training, out)
    best, _ = load_student(out / "best")
    _calibrate(best, processor, validation)
    best.save_pretrained(out / "model")
    processor.save_pretrained(out / "model")
    counted = {name: count_labels(study.findings for study in cache.studies) for name, cache in train.items()}
    write_label_counts(out / "model", counted)
    evaluate_student(out / "model", data, command=shlex.join(["python", "-m", "training.student", *sys.argv[1:]]))
    if install is not None:
        _install(out / "model", install)
    print(f"done: {install or out / 'model'}", flush=True)


def _targets(
    sets: dict[str, PixelCache], teacher: RationaleLibrary, embed: Embed | None, variants: int
) -> dict[str, TeacherTargets]:
    """Return the teacher's targets by set; asked for all sets at once, so that equal findings share a group."""
    cases = [study.findings for cache in sets.values() for study in cache.studies]
    everything = teacher_targets(cases, teacher, embed, variants)
    parts: dict[str, TeacherTargets] = {}
    start = 0
    for name, cache in sets.items():
        at = slice(start, start + len(cache))
        parts[name] = TeacherTargets(
            everything.texts[at], everything.states[at], everything.embeddings[at], everything.groups[at]
        )
        start += len(cache)
    return parts


def _processor(settings: ModelSettings, targets: dict[str, TeacherTargets], folder: Path) -> StudentProcessor:
    """Return the processor of this run, its tokenizer trained on all targets; an interrupted run keeps its own."""
    if (folder / "tokenizer.json").is_file():
        return StudentProcessor.from_pretrained(folder, local_files_only=True)
    texts = (text for part in targets.values() for versions in part.texts for text in versions)
    processor = StudentProcessor(train_tokenizer(texts, settings.vocabulary), image_size=settings.image_size)
    processor.save_pretrained(folder)
    return processor


def _new_student(settings: ModelSettings, processor: StudentProcessor, alignment_size: int) -> StudentModel:
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
    )
    student = StudentModel(config)
    # Nearly halves the backbone's time on a CPU.
    student.vision.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return student


def _train(
    student: StudentModel,
    processor: StudentProcessor,
    sets: dict[str, PixelCache],
    targets: dict[str, TeacherTargets],
    validation: dict[str, PixelCache],
    settings: TrainerSettings,
    out: Path,
) -> None:
    arguments = TrainingArguments(
        output_dir=str(out / "checkpoints"),
        per_device_train_batch_size=settings.batch_size,
        max_steps=10_000_000,  # the clock ends the training
        weight_decay=settings.weight_decay,
        bf16=settings.bf16,
        logging_steps=settings.log_steps,
        save_strategy="no",  # by the clock as well
        save_total_limit=2,
        remove_unused_columns=False,
        dataloader_drop_last=True,
        disable_tqdm=True,
        report_to=[],
        seed=settings.seed,
        use_cpu=not torch.cuda.is_available(),
    )
    trainer = DistillationTrainer(
        model=student,
        args=arguments,
        train_dataset=ConcatDataset([DistillationDataset(sets[name], targets[name]) for name in sets]),
        data_collator=Collator(processor, settings.text_length, settings.augmentation, settings.seed),
        objective=Objective((settings.uncertain,) * len(CONDITIONS), settings.temperature, settings.told_share),
        schedule=Schedule(tuple(settings.stages), settings.max_minutes),
        sampling_weights=_sampling_weights(sets, settings.set_shares),
    )
    trainer.remove_callback(PrinterCallback)  # ours says the same in one line
    trainer.add_callback(SaveOnTime(trainer, settings.checkpoint_minutes))
    score: Callable[[StudentModel], tuple[float, dict[str, float]]] = lambda model: validation_score(  # noqa: E731
        model, processor, validation
    )
    trainer.add_callback(KeepBest(trainer, score, out / "best", settings.validation_minutes, _print))
    trainer.add_callback(PrintProgress(trainer, _print))
    last = get_last_checkpoint(str(out / "checkpoints")) if (out / "checkpoints").is_dir() else None
    if last is not None:
        _print(f"going on from {last}")
    processor.save_pretrained(out / "best")
    trainer.train(resume_from_checkpoint=last)


def _sampling_weights(sets: dict[str, PixelCache], shares: dict[str, float]) -> list[float]:
    return [shares[name] / len(cache) for name, cache in sets.items() for _ in range(len(cache))]


def _calibrate(student: StudentModel, processor: StudentProcessor, validation: dict[str, PixelCache]) -> None:
    """Fit the probabilities and choose the thresholds of ``student`` on the validation cases."""
    logits = {name: condition_logits(student, processor, cache) for name, cache in validation.items()}
    labels = {name: labels_of(cache) for name, cache in validation.items()}
    pooled, truth = np.concatenate(list(logits.values())), np.concatenate(list(labels.values()))
    ids = tuple(f"{name} {row}" for name, of_set in labels.items() for row in range(len(of_set)))
    calibration = fit_calibration(
        ConditionTable(ids, CONDITIONS, pooled.astype(np.float64)),
        ConditionTable(ids, CONDITIONS, truth.astype(np.float64)),
        CalibrationMethod.PLATT,
        f"{' and '.join(validation)}, validation",
    )
    store_calibration(student.config, calibration)

    def probabilities(of: NDArray[np.float32]) -> NDArray[np.floating]:
        return student.probabilities(torch.from_numpy(of)).numpy()

    held = [HeldOut(probabilities(logits[name]), labels[name]) for name in validation]
    student.config.thresholds = choose_thresholds(held).tolist()


def _install(finished: Path, destination: Path) -> None:
    """Put the finished model where it belongs, all of it or nothing."""
    arriving = destination.with_name(destination.name + ".arriving")
    shutil.rmtree(arriving, ignore_errors=True)
    shutil.copytree(finished, arriving)
    shutil.rmtree(destination, ignore_errors=True)
    arriving.replace(destination)


def _print(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


if __name__ == "__main__":
    auto_cli(train_student, as_positional=False)
