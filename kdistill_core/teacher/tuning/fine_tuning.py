"""One stage of a teacher's training: a causal language model, whole or by LoRA, on blocks of tokens.

The trainer is transformers' own, so mixed precision, gradient checkpointing, sharding (FSDP, DeepSpeed) and more than
one machine come from `accelerate launch`. On a CPU a stage that was killed goes on with the same losses to the last
digit: data order, optimizer, schedule and random states are in its checkpoints.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import ConcatDataset, Dataset
from transformers import PreTrainedModel, PrinterCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from kdistill_core.teacher.errors import TeacherTrainingError
from kdistill_core.teacher.tuning.blocks import Block, collate

CHECKPOINTS, MODEL = "checkpoints", "model"
# The trainer's own record with every loss; it is written last, so that a stage that has it is finished.
STATE = "trainer_state.json"


@dataclass(frozen=True)
class LoraSettings:
    """A low-rank adapter (Hu et al., ICLR 2022) on every linear layer but the head.

    rank: of the update. alpha: its scale is alpha / rank. dropout: of the adapter's input while training.
    """

    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.0


@dataclass(frozen=True)
class TrainingSettings:
    """How a stage runs. tokens: to be seen in all, over every process. blocks: per process and forward pass.

    accumulate: forward passes a step. warmup: share of the steps in which the learning rate rises; it then falls to 0
    along a cosine. save_steps: steps between checkpoints.
    """

    tokens: int
    learning_rate: float
    blocks: int = 2
    accumulate: int = 2
    warmup: float = 0.05
    weight_decay: float = 0.0
    bf16: bool = False
    gradient_checkpointing: bool = False
    save_steps: int = 50
    log_steps: int = 5
    evaluate_steps: int = 0
    seed: int = 0


def with_adapter(model: PreTrainedModel, settings: LoraSettings, earlier: Path | None = None) -> Any:
    """Return ``model`` with a trainable adapter: a new one, or the one in the folder ``earlier`` to go on with."""
    from peft import LoraConfig, PeftModel, get_peft_model

    if earlier is not None:
        return PeftModel.from_pretrained(model, str(earlier), is_trainable=True)
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,  # type: ignore[arg-type] # its annotation says int; the scale is a quotient
        lora_dropout=settings.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config)


def fine_tune(
    model: Any,
    data: Sequence[Dataset[Block]],
    settings: TrainingSettings,
    out: Path,
    held_out: Dataset[Block] | None = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> None:
    """Train ``model`` on the shuffled blocks of all ``data``; write it to ``out/model`` and the losses beside it.

    A stage that was interrupted goes on from its last checkpoint in ``out``. Raises TeacherTrainingError where there
    is no block, or where the loss is no number any more.
    """
    filled = [each for each in data if len(each)]  # type: ignore[arg-type] # torch's Dataset declares no length
    lengths = sorted({len(each[0].input_ids) for each in filled})
    if not filled:
        raise TeacherTrainingError("There is nothing to train on.", "Give a corpus or ask for examples.")
    if len(lengths) > 1:
        raise TeacherTrainingError(
            f"The blocks have {' and '.join(map(str, lengths))} tokens; they have to be of one length.",
            "Pack the corpus with the length of the training's configuration.",
        )
    blocks: ConcatDataset[Block] = ConcatDataset(filled)
    trainer = Trainer(
        model=model,
        args=_arguments(settings, lengths[0], out, evaluate=held_out is not None),
        train_dataset=blocks,
        eval_dataset=held_out,
        data_collator=collate,
        callbacks=[_StopAtNonsense(), *callbacks],
    )
    trainer.remove_callback(PrinterCallback)
    last = get_last_checkpoint(str(out / CHECKPOINTS)) if (out / CHECKPOINTS).is_dir() else None
    trainer.train(resume_from_checkpoint=last)
    trainer.save_model(str(out / MODEL))
    if trainer.is_world_process_zero():
        trainer.state.save_to_json(str(out / STATE))
    trainer.accelerator.wait_for_everyone()


def steps_of(settings: TrainingSettings, length: int, processes: int = 1) -> int:
    """Return how many steps a stage takes for its tokens, at least one."""
    return max(1, math.ceil(settings.tokens / (settings.blocks * settings.accumulate * length * processes)))


def _arguments(settings: TrainingSettings, length: int, out: Path, *, evaluate: bool) -> TrainingArguments:
    from accelerate import PartialState

    steps = steps_of(settings, length, PartialState(cpu=not torch.cuda.is_available()).num_processes)
    return TrainingArguments(
        output_dir=str(out / CHECKPOINTS),
        max_steps=steps,
        per_device_train_batch_size=settings.blocks,
        per_device_eval_batch_size=settings.blocks,
        gradient_accumulation_steps=settings.accumulate,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=math.ceil(settings.warmup * steps),
        weight_decay=settings.weight_decay,
        bf16=settings.bf16,
        activation_checkpointing=settings.gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False} if settings.gradient_checkpointing else None,
        logging_steps=settings.log_steps,
        logging_nan_inf_filter=False,
        eval_strategy="steps" if evaluate and settings.evaluate_steps else "no",
        eval_steps=settings.evaluate_steps or None,
        prediction_loss_only=True,
        save_steps=settings.save_steps,
        save_total_limit=2,
        dataloader_drop_last=True,
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to=["tensorboard"],
        seed=settings.seed,
        use_cpu=not torch.cuda.is_available(),
    )


class _StopAtNonsense(TrainerCallback):
    """Ends a training whose loss is no number any more: going on would only overwrite good checkpoints."""

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        del args, control
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            raise TeacherTrainingError(
                f"The loss is {loss} at step {state.global_step}.", "Lower the learning rate; go on from a checkpoint."
            )
