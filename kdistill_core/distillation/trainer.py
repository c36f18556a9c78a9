"""transformers' Trainer with the distillation objective and a schedule that goes by the clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler
from torch.utils.data import Dataset, Sampler, WeightedRandomSampler
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from typing_extensions import override

from kdistill_core.distillation.objective import Objective
from kdistill_core.distillation.schedule import Schedule, Stage, frozen_at
from kdistill_core.student.modeling import StudentModel, StudentOutput


class ClockScheduler(LRScheduler):
    """Learning rates by the minutes trained so far, which its state carries through an interruption."""

    def __init__(self, optimizer: Optimizer, schedule: Schedule, clock: Callable[[], float] = time.monotonic) -> None:
        self._schedule = schedule
        self._clock = clock
        self._last: float | None = None
        self.minutes = 0.0
        super().__init__(optimizer)

    def step(self, epoch: int | None = None) -> None:
        now = self._clock()
        if self._last is not None:
            self.minutes += (now - self._last) / 60
        self._last = now
        super().step(epoch)

    def get_lr(self) -> list[float | Tensor]:
        return [self._schedule.learning_rate(self.minutes) for _ in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        return {"minutes": self.minutes, "last_epoch": self.last_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.minutes, self.last_epoch = state_dict["minutes"], state_dict["last_epoch"]


class DistillationTrainer(Trainer):
    """Trains a student by an :class:`Objective` through the stages of a :class:`Schedule`.

    sampling_weights: how likely each training case is drawn, so that data sets of unequal size weigh as intended.
    """

    def __init__(
        self,
        *args: Any,
        objective: Objective,
        schedule: Schedule,
        sampling_weights: Sequence[float] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.objective: Objective = objective
        self.schedule = schedule
        self._sampling_weights = sampling_weights
        self._clock: ClockScheduler | None = None
        self._stage: Stage | None = None
        self._frozen: list[nn.Module] = []
        self._logged: list[dict[str, float]] = []
        self.add_callback(StopOnTime(self))

    @property
    def minutes(self) -> float:
        """The minutes trained so far, over all interruptions."""
        return self._clock.minutes if self._clock is not None else 0.0

    @property
    def stage(self) -> Stage:
        """The stage that the training is in."""
        return self.schedule.stages[self.schedule.at(self.minutes)[0]]

    def create_scheduler(self, num_training_steps: int, optimizer: Optimizer | None = None) -> LRScheduler:
        del num_training_steps  # the clock decides, not the count
        if self._clock is None:
            self._clock = ClockScheduler(optimizer or cast("Optimizer", self.optimizer), self.schedule)
            # Where the Trainer looks for what to step and what to write into a checkpoint.
            self.lr_scheduler = cast("LambdaLR", self._clock)
        return self._clock

    @override
    def compute_loss(  # type: ignore[override]
        self, model: nn.Module, inputs: dict[str, Tensor], return_outputs: bool = False, **kwargs: Any
    ) -> Tensor | tuple[Tensor, StudentOutput]:
        del kwargs  # the objective counts for itself what it averages over
        self._enter(self.stage)
        for module in self._frozen:
            module.eval()
        total, logged, output = self.objective(model, inputs, dict(self.stage.weights))
        self._logged.append(logged)
        return (total, output) if return_outputs else total

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the terms, averaged since the last report, and the time to what is logged."""
        names = sorted({name for logged in self._logged for name in logged})
        for name in names:
            values = [logged[name] for logged in self._logged if name in logged]
            logs[name] = sum(values) / len(values)
        self._logged.clear()
        super().log({**logs, "minutes": self.minutes}, start_time)

    def _get_train_sampler(self, train_dataset: Dataset[Any] | None = None) -> Sampler[int] | None:
        if self._sampling_weights is None:
            return super()._get_train_sampler(train_dataset)
        generator = torch.Generator().manual_seed(self.args.seed + self.state.global_step)
        return WeightedRandomSampler(
            self._sampling_weights, len(self._sampling_weights), replacement=True, generator=generator
        )

    def _enter(self, stage: Stage) -> None:
        if stage is self._stage:
            return
        self._stage = stage
        model = self.accelerator.unwrap_model(self.model)
        still = frozen_at(stage, [name for name, _ in model.named_parameters()])
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name not in still)
            if name in still:
                parameter.grad = None
        # A frozen module's batch statistics stand still as well.
        self._frozen = [module for name, module in model.named_modules() if name in stage.frozen]


class StopOnTime(TrainerCallback):
    """Ends the training when the schedule's minutes are over."""

    def __init__(self, trainer: DistillationTrainer) -> None:
        self._trainer = trainer

    @override
    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        if self._trainer.minutes >= self._trainer.schedule.minutes:
            control.should_training_stop = True
        return control


class SaveOnTime(TrainerCallback):
    """Writes a checkpoint to go on from every ``minutes``."""

    def __init__(self, trainer: DistillationTrainer, minutes: float) -> None:
        self._trainer = trainer
        self._minutes = minutes
        self._last: float | None = None

    @override
    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        now = self._trainer.minutes
        if self._last is None:
            self._last = now
        elif now - self._last >= self._minutes:
            self._last = now
            control.should_save = True
        return control


class KeepBest(TrainerCallback):
    """Measures the student every ``minutes`` of the last stage and at the end, and keeps the best weights in a folder.

    validate: from the model to a score, higher is better, with whatever else is worth printing.
    """

    SCORE_FILE = "score.json"

    def __init__(
        self,
        trainer: DistillationTrainer,
        validate: Callable[[StudentModel], tuple[float, dict[str, float]]],
        folder: Path,
        minutes: float,
        print_line: Callable[[str], None],
    ) -> None:
        self._trainer = trainer
        self._validate = validate
        self._folder = folder
        self._minutes = minutes
        self._print = print_line
        self._last: float | None = None

    @override
    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        now = self._trainer.minutes
        if self._last is None:
            self._last = now
        elif now - self._last >= self._minutes:
            self._last = now
            self.measure(state.global_step)

    @override
    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.measure(state.global_step)

    def measure(self, step: int) -> None:
        """Measure now; weights from before the last stage are printed but never kept."""
        model = self._trainer.accelerator.unwrap_model(self._trainer.model)
        model.eval()
        score, details = self._validate(model)
        shown = "  ".join(f"{name} {value:.3f}" for name, value in details.items())
        self._print(f"validation at step {step}: score {score:.4f}  {shown}")
        last_stage = self._trainer.stage is self._trainer.schedule.stages[-1]
        if last_stage and score > self._best():
            model.save_pretrained(self._folder)
            record = {"score": score, "step": step, **details}
            (self._folder / self.SCORE_FILE).write_bytes(msgspec.json.encode(record))

    def _best(self) -> float:
        path = self._folder / self.SCORE_FILE
        return float(msgspec.json.decode(path.read_bytes())["score"]) if path.exists() else float("-inf")
