"""The trainer: the objective on a batch, stages that freeze, and a run that goes on after it was killed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PrinterCallback, TrainerCallback, TrainingArguments

from kdistill_core.conditions import CONDITIONS, State
from kdistill_core.datasets.cache import PixelCache
from kdistill_core.distillation.batches import Collator, DistillationDataset
from kdistill_core.distillation.losses import UncertainPolicy, alignment, classification, generation
from kdistill_core.distillation.objective import Objective
from kdistill_core.distillation.schedule import Schedule, Stage
from kdistill_core.distillation.targets import TeacherTargets
from kdistill_core.distillation.trainer import DistillationTrainer, KeepBest, SaveOnTime
from kdistill_core.records import Finding, Patient, Study
from kdistill_core.student.tiny import tiny_student

K = len(CONDITIONS)
POLICIES = (UncertainPolicy.IGNORE,) * K
ALL = {"classification": 5.0, "generation": 1.0, "alignment": 0.3}


def cases(count: int = 16) -> DistillationDataset:
    rng = np.random.default_rng(0)
    positive = rng.random((count, K)) < 0.3
    studies = tuple(
        Study(
            str(index),
            Patient(id=str(index)),
            findings=tuple(
                Finding(condition, State.POSITIVE if there else State.NEGATIVE)
                for condition, there in zip(CONDITIONS, row, strict=True)
            ),
        )
        for index, row in enumerate(positive)
    )
    pixels = rng.integers(0, 256, (count, 64, 64)).astype(np.uint8)
    texts = tuple((f"There is edema. {index}",) for index in range(count))
    targets = TeacherTargets(
        texts,
        positive.astype(np.float32),
        rng.normal(size=(count, 16)).astype(np.float32),
        np.arange(count) // 2,
    )
    return DistillationDataset(PixelCache(pixels, studies), targets)


class StopAfter(TrainerCallback):
    """Ends a run as a kill would: without the training's own end."""

    def __init__(self, steps: int) -> None:
        self._steps = steps

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step >= self._steps:
            control.should_training_stop = True
        return control


def trainer_for(out: Path, stages: tuple[Stage, ...], minutes: float = 60.0, **settings: object) -> DistillationTrainer:
    model, processor = tiny_student()
    arguments = TrainingArguments(
        output_dir=str(out), per_device_train_batch_size=4, max_steps=1000, save_strategy="no", report_to=[],
        remove_unused_columns=False, disable_tqdm=True, logging_steps=1, use_cpu=True, seed=3,
    )  # fmt: skip
    trainer = DistillationTrainer(
        model=model, args=arguments, train_dataset=cases(), data_collator=Collator(processor, 32),
        objective=Objective(POLICIES), schedule=Schedule(stages, minutes), **settings,
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    return trainer


def test_the_objective_is_the_weighted_sum_of_its_terms() -> None:
    model, processor = tiny_student()
    dataset = cases(6)
    batch = Collator(processor, 32)([dataset[index] for index in range(6)])
    objective = Objective(POLICIES, temperature=0.2, told_share=1.0)
    with torch.no_grad():
        total, logged, output = objective(model, batch, ALL)
    same = batch["groups"][:, None] == batch["groups"][None, :]
    expected = (
        5 * classification(output.condition_logits, batch["condition_labels"], POLICIES).value
        + generation(output.logits, batch["labels"]).value
        + 0.3 * alignment(output.explanation_embedding, batch["teacher_embeddings"], same, 0.2).value
    )
    assert float(total) == pytest.approx(float(expected), rel=1e-6)
    assert float(total) == pytest.approx(sum(logged[f"{name}/weighted"] for name in ALL), rel=1e-6)


def test_without_the_generation_term_the_language_model_is_not_even_run() -> None:
    model, processor = tiny_student()
    dataset = cases(2)
    batch = Collator(processor, 32)([dataset[0], dataset[1]])
    _, logged, output = Objective(POLICIES)(model, batch, {"classification": 1.0, "generation": 0.0})
    assert output.logits is None
    assert set(logged) == {"classification/raw", "classification/weighted", "classification/count"}


def test_a_frozen_module_does_not_move_and_the_others_do(tmp_path: Path) -> None:
    stage = Stage("decoder", 1.0, 1e-2, {"generation": 1.0}, ("vision", "condition_queries"))
    trainer = trainer_for(tmp_path, (stage,))
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    trainer.add_callback(StopAfter(3))
    trainer.train()
    moved = {name for name, value in trainer.model.state_dict().items() if not torch.equal(value, before[name])}
    # Batch statistics of the frozen backbone stand still as well.
    assert not [name for name in moved if name.startswith(("vision", "condition_queries"))]
    assert [name for name in moved if name.startswith("language_model")]


def test_the_clock_ends_the_training(tmp_path: Path) -> None:
    trainer = trainer_for(tmp_path, (Stage("heads", 1.0, 1e-3, {"classification": 1.0}),), minutes=0.005)
    trainer.train()
    assert 0 < trainer.state.global_step < 1000
    assert trainer.minutes >= 0.005


def test_a_run_that_was_stopped_goes_on_with_its_step_and_its_clock(tmp_path: Path) -> None:
    stages = (Stage("heads", 1.0, 1e-3, {"classification": 1.0}),)
    first = trainer_for(tmp_path, stages)
    first.add_callback(SaveOnTime(first, 0.0))
    first.add_callback(StopAfter(4))
    first.train()
    (*_, last) = sorted(tmp_path.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    step = int(last.name.split("-")[1])
    stood = torch.load(last / "scheduler.pt", weights_only=True)["minutes"]

    again = trainer_for(tmp_path, stages)
    again.add_callback(StopAfter(step + 1))
    again.train(resume_from_checkpoint=str(last))
    assert again.state.global_step == step + 1
    assert again.minutes >= stood > 0


def test_the_best_weights_of_the_last_stage_are_kept(tmp_path: Path) -> None:
    trainer = trainer_for(tmp_path / "run", (Stage("all", 1.0, 1e-3, {"classification": 1.0}),))
    scores = iter([0.5, 0.9, 0.7])
    seen: list[float] = []
    lines: list[str] = []

    def validate(model) -> tuple[float, dict[str, float]]:
        assert not model.training
        seen.append(float(model.condition_queries.bias.detach().sum()))
        return next(scores), {}

    best = KeepBest(trainer, validate, tmp_path / "best", 0.0, lines.append)
    for step in range(3):
        with torch.no_grad():
            trainer.model.condition_queries.bias.fill_(float(step))
        best.measure(step)
    kept = type(trainer.model).from_pretrained(tmp_path / "best")
    assert float(kept.condition_queries.bias.detach()[0]) == 1.0
    assert len(lines) == 3


def test_sets_of_unequal_size_are_drawn_as_asked_for(tmp_path: Path) -> None:
    weights = [0.5 / 4] * 4 + [0.5 / 12] * 12
    stages = (Stage("heads", 1.0, 1e-3, {"classification": 1.0}),)
    trainer = trainer_for(tmp_path, stages, sampling_weights=weights)
    sampler = trainer._get_train_sampler()
    drawn = [index for _ in range(60) for index in sampler]
    assert np.mean([index < 4 for index in drawn]) == pytest.approx(0.5, abs=0.06)
