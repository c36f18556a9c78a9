"""How a run goes beside its schedule, and what that is called in transformers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import TrainingArguments

from kdistill_core.distillation.schedule import Schedule


@dataclass(frozen=True)
class RunSettings:
    """How a run goes, beside its schedule.

    batch_size: cases a forward pass and process. accumulate: passes a step. gradient_norm_steps: every so many steps
    the gradient of each term is measured, which costs a backward pass a term; 0 for never. keep: checkpoints.
    loader_workers: processes that make batches, 0 for the training's own.
    """

    batch_size: int = 32
    accumulate: int = 1
    weight_decay: float = 0.05
    max_gradient_norm: float = 1.0
    bf16: bool = False
    gradient_checkpointing: bool = False
    save_steps: int = 250
    log_steps: int = 25
    gradient_norm_steps: int = 0
    keep: int = 2
    loader_workers: int = 0
    seed: int = 0


def training_arguments(out: Path, schedule: Schedule, settings: RunSettings) -> TrainingArguments:
    """Return transformers' arguments of a run whose checkpoints and curves go to ``out``."""
    return TrainingArguments(
        output_dir=str(out),
        max_steps=schedule.steps,
        learning_rate=1.0,  # what the schedule gives is the rate itself
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.accumulate,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_gradient_norm,
        bf16=settings.bf16,
        activation_checkpointing=settings.gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False} if settings.gradient_checkpointing else None,
        logging_steps=settings.log_steps,
        logging_nan_inf_filter=False,
        save_steps=settings.save_steps,
        dataloader_drop_last=True,
        dataloader_num_workers=settings.loader_workers,
        # A stage leaves parameters out of the graph that the next one trains.
        ddp_find_unused_parameters=True,
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to=["tensorboard"],
        seed=settings.seed,
        use_cpu=not torch.cuda.is_available(),
    )
