"""One line on the console now and then: how far, how fast, how long still."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from typing_extensions import override

from kdistill_core.distillation.objective import TERMS
from kdistill_core.distillation.trainer import DistillationTrainer


class PrintProgress(TrainerCallback):
    """Prints what the trainer logs, with the time left at the speed of the steps so far."""

    def __init__(self, trainer: DistillationTrainer, print_line: Callable[[str], None]) -> None:
        self._trainer = trainer
        self._print = print_line
        self._started = (time.monotonic(), 0)

    @override
    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._started = (time.monotonic(), state.global_step)

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
        if "loss" not in logs:
            return
        terms = "  ".join(f"{name} {logs[f'{name}/raw']:.3f}" for name in TERMS if f"{name}/raw" in logs)
        stage = self._trainer.schedule.at(state.global_step - 1)[0]
        self._print(
            f"{stage.name}: step {state.global_step} of {state.max_steps}, {self._left(state)} min left  {terms}  "
            f"learning rate {logs['learning_rate']:.1e}"
        )

    def _left(self, state: TrainerState) -> str:
        begun, step = self._started
        minutes = (time.monotonic() - begun) / 60 * (state.max_steps - state.global_step) / (state.global_step - step)
        most = self._trainer.schedule.max_minutes
        return f"{minutes:.1f}" if most is None else f"{max(0.0, min(minutes, most - self._trainer.minutes)):.1f}"
