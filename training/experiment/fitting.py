"""Training one student through one part of an arm's schedule, by the trainer of the core."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from typing_extensions import override

from kdistill_core.conditions import CONDITIONS
from kdistill_core.distillation.batches import Collator, Example
from kdistill_core.distillation.objective import TEXT_TERMS, ClassificationSettings, Objective
from kdistill_core.distillation.run_settings import RunSettings
from kdistill_core.distillation.schedule import Schedule, Stage
from kdistill_core.distillation.trainer import DistillationTrainer
from kdistill_core.student import StudentConfig, StudentModel, StudentProcessor
from training.experiment.arms import Arm, Labels
from training.experiment.settings import Choice, ExperimentSettings, plain

HEADS, TEXTS = "heads", "texts"
# Where a text is learned on a student that sees already.
_SEEING = ("vision", "condition_queries")

Validate = Callable[[StudentModel], Mapping[str, float]]
Curve = list[dict[str, float]]


@dataclass(frozen=True, eq=False)
class Fit:
    """One part of a training. name: HEADS or TEXTS. seed: of everything random. made_with: kept in its checkpoints.

    validate: what is measured in between, by name; never used to choose weights.
    """

    name: str
    stages: tuple[Stage, ...]
    objective: Objective
    seed: int
    made_with: Mapping[str, Any]
    validate: Validate | None = None


def terms_of(arm: Arm) -> frozenset[str]:
    """Return the terms that an arm is trained by, where they have a weight."""
    terms = {"generation"}
    if arm.has_heads:
        terms.add("classification")
    if arm.alignment:
        terms.add("alignment")
    if arm.reads_as_teacher:
        terms.add("concept")
    if arm.tokens:
        terms.add("distillation")
    return frozenset(terms)


def stages_of(arm: Arm, part: str, settings: ExperimentSettings, choice: Choice) -> tuple[Stage, ...]:
    """Return the stages of an arm's ``part``; an arm without heads trains end to end in each of them."""
    budget = settings.budget
    weights = {name: weight for name, weight in plain(settings.weights).items() if weight and name in terms_of(arm)}
    written = {name: weight for name, weight in weights.items() if name in TEXT_TERMS}
    seen = {name: weight for name, weight in weights.items() if name not in TEXT_TERMS}
    if part == HEADS:
        learned = seen if arm.has_heads else written
        return (Stage("heads", budget.heads, choice.rate * budget.heads_rate, learned, final_share=0.3),)
    frozen = _SEEING if arm.has_heads else ()
    return (
        Stage("decoder", budget.decoder, choice.rate * budget.decoder_rate, written, frozen, final_share=0.2),
        Stage("all", budget.all, choice.rate * budget.all_rate, {**seen, **written}, final_share=0.02),
    )


def objective_of(arm: Arm, settings: ExperimentSettings, choice: Choice) -> Objective:
    """Return what an arm's batches are judged by."""
    soft = settings.labels.soft_weight if arm.labels is Labels.SOFT else 0.0
    return Objective(
        (settings.labels.uncertain,) * len(CONDITIONS),
        told_share=choice.told_share if arm.may_be_told else 0.0,
        classification=ClassificationSettings(soft_weight=soft),
    )


def new_student(
    settings: ExperimentSettings,
    processor: StudentProcessor,
    seed: int,
    alignment_size: int,
    concepts: Sequence[str] = (),
) -> StudentModel:
    """Return the untrained student of a seed: the same weights in every arm, whether its terms use them or not."""
    own, tokenizer = settings.student, processor.tokenizer
    special = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    torch.manual_seed(seed)
    return laid_out(
        StudentModel(
            StudentConfig(
                backbone_config=own.backbone,
                text_config={**own.text, "vocab_size": own.vocabulary, **special},
                image_size=own.image_size,
                feature_size=own.feature_size,
                query_heads=own.query_heads,
                visual_grid=own.visual_grid,
                alignment_size=alignment_size,
                dropout=own.dropout,
                concepts=list(concepts),
            )
        )
    )


def laid_out(student: StudentModel) -> StudentModel:
    """Return ``student`` with its backbone's weights channels last, which nearly halves its time on a CPU."""
    student.vision.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return student


def fit(
    student: StudentModel,
    examples: Dataset[Example],
    processor: StudentProcessor,
    settings: ExperimentSettings,
    part: Fit,
    out: Path,
) -> Curve:
    """Train ``student`` in place, from the newest checkpoint in ``out`` where there is one; return its curve.

    Raises DistillationError for what ends a training, and for a checkpoint of other settings.
    """
    budget = settings.budget
    schedule = Schedule(part.stages)
    # Whatever was random before, a part starts from its own seed.
    torch.manual_seed(part.seed)
    trainer = DistillationTrainer(
        student,
        examples,
        Collator(processor, settings.student.text_length, budget.augmentation, part.seed),
        part.objective,
        schedule,
        RunSettings(
            batch_size=budget.batch_size,
            weight_decay=budget.weight_decay,
            log_steps=budget.log_steps,
            save_steps=max(budget.validation_steps, schedule.steps // 3),
            keep=1,
            seed=part.seed,
        ),
        out,
        configuration=part.made_with,
    )
    if part.validate is not None:
        trainer.add_callback(_Measure(trainer, part.validate, budget.validation_steps))
    trainer.train_on()
    student.eval()  # type: ignore[no-untyped-call]
    return [_numbers(entry) for entry in trainer.state.log_history]


class _Measure(TrainerCallback):
    """Measures the student every so many steps and at the end, for the curves alone."""

    def __init__(self, trainer: DistillationTrainer, validate: Validate, steps: int) -> None:
        self._trainer = trainer
        self._validate = validate
        self._steps = steps

    @override
    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        if state.global_step % self._steps == 0 or state.global_step == self._trainer.schedule.steps:
            student = self._trainer.student
            student.eval()  # type: ignore[no-untyped-call]
            with torch.random.fork_rng(range(torch.cuda.device_count())), torch.inference_mode():
                measured = self._validate(student)
            student.train()
            self._trainer.report({f"validation/{name}": value for name, value in measured.items()})
        return control


def _numbers(entry: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in entry.items() if isinstance(value, (int, float))}
