"""One line on the console now and then: how far, how fast, how long still."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from typing_extensions import override

from kdistill_core.distillation.objective import TERMS
from kdistill_core.distillation.trainer import DistillationTrainer


class PrintProgress(TrainerCallback):
    """Prints what the trainer logs, with the time left."""

    def __init__(self, trainer: DistillationTrainer, print_line: Callable[[str], None]) -> None:
        self._trainer = trainer
        self._print = print_line

    @override
    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        logs = logs or {}
        minutes = self._trainer.minutes
        if "loss" not in logs:
            return
        terms = "  ".join(f"{name} {logs[f'{name}/raw']:.3f}" for name in TERMS if f"{name}/raw" in logs)
        images = state.global_step * args.per_device_train_batch_size
        left = max(0.0, self._trainer.schedule.minutes - minutes)
        self._print(
            f"{self._trainer.stage.name}: step {state.global_step}, {images} images, {left:.1f} min left  {terms}  "
            f"learning rate {self._trainer.schedule.learning_rate(minutes):.1e}"
        )
