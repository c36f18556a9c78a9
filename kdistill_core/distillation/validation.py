"""Measuring a student while it trains: the best weights are kept, and a training that no longer helps is ended."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from typing_extensions import override

from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.faults import WRITING_ERRORS, is_out_of_memory, not_kept
from kdistill_core.distillation.processes import of_first_process
from kdistill_core.distillation.trainer import DistillationTrainer
from kdistill_core.student.modeling import StudentModel
from kdistill_core.student.processing import StudentProcessor

BEST, LAST = "best", "last"
SCORE_FILE = "score.json"
PREFIX = "validation/"

Validate = Callable[[StudentModel], Mapping[str, float]]


@dataclass(frozen=True)
class ValidationSettings:
    """When the student is measured, and by what the best weights are chosen.

    steps: between two measurements; there is another one at the end. score: a name of what is measured, here the mean
    of micro and macro AUC over the sets. patience: measurements of the last stage without a better score after which
    the training ends; 0 for never.
    """

    steps: int = 300
    score: str = "mean AUC"
    higher_is_better: bool = True
    patience: int = 0


class Validation(TrainerCallback):
    """Measures, keeps the best weights of the last stage in ``out/best``, and ends a training when patience is over.

    validate: from the model in evaluation mode to scores by name; it may draw random numbers without harm. Weights
    from before the last stage are measured but never kept: they cannot write yet, or not see.
    """

    def __init__(
        self,
        trainer: DistillationTrainer,
        validate: Validate,
        settings: ValidationSettings,
        processor: StudentProcessor,
        out: Path,
        print_line: Callable[[str], None],
    ) -> None:
        self._trainer = trainer
        self._validate = validate
        self._settings = settings
        self._processor = processor
        self._out = out
        self._print = print_line

    @override
    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        if state.global_step % self._settings.steps == 0 or state.global_step >= self._trainer.schedule.steps:
            self._measure()
            score, patience = self._settings.score, self._settings.patience
            if patience and self._without_a_better_one() >= patience:
                self._print(f"no better {score} in {patience} measurements: training ends at step {state.global_step}")
                self._trainer.end()
        return control

    def finish(self) -> None:
        """Measure the last weights if that was not done; keep them as the last, and as the best if none was kept."""
        step = self._trainer.state.global_step
        if not any(entry["step"] == step for entry in self._history()):
            self._measure()
        self._keep(self._out / LAST, {})
        # The first process writes; the others ask it, and not a disk that it may still be writing to.
        if not of_first_process(float((self._out / BEST / SCORE_FILE).is_file())):
            self._print("the last stage was not reached: the last weights are kept as the best")
            self._keep(self._out / BEST, {"step": step})

    def _measure(self) -> None:
        trainer, chosen = self._trainer, self._settings.score
        earlier = [self._signed(entry) for entry in self._history() if self._is_of_last_stage(entry["step"])]
        student = trainer.student
        was_training = student.training
        student.eval()  # type: ignore[no-untyped-call]
        # What is drawn in here must not change what is trained after it.
        with torch.random.fork_rng(range(torch.cuda.device_count())):
            measured = {name: of_first_process(float(value)) for name, value in self._validate(student).items()}
        student.train(was_training)
        if chosen not in measured:
            raise DistillationError(
                f"There is no score {chosen!r} to choose the best weights by.",
                f"Choose `score` from {', '.join(sorted(measured))}.",
            )
        trainer.report({f"{PREFIX}{name}": value for name, value in measured.items()})
        step = trainer.state.global_step
        shown = "  ".join(f"{name} {value:.3f}" for name, value in measured.items())
        self._print(f"validation at step {step}: {shown}")
        better = self._signed(trainer.state.log_history[-1]) > max(earlier, default=float("-inf"))
        if better and self._is_of_last_stage(step):
            self._keep(self._out / BEST, {"step": step, "score": measured[chosen], **measured})

    def _history(self) -> list[dict[str, float]]:
        return [entry for entry in self._trainer.state.log_history if f"{PREFIX}{self._settings.score}" in entry]

    def _signed(self, entry: Mapping[str, float]) -> float:
        value = entry[f"{PREFIX}{self._settings.score}"]
        return value if self._settings.higher_is_better else -value

    def _without_a_better_one(self) -> int:
        """Return how many measurements of the last stage came after its best."""
        scores = [self._signed(entry) for entry in self._history() if self._is_of_last_stage(entry["step"])]
        return len(scores) - 1 - scores.index(max(scores)) if scores else 0

    def _is_of_last_stage(self, step: float) -> bool:
        """Return whether weights after ``step`` steps have learned in the last stage."""
        schedule = self._trainer.schedule
        return step > schedule.steps - schedule.stages[-1].steps

    def _keep(self, folder: Path, record: dict[str, float]) -> None:
        """Write the student to ``folder``, all of it or nothing. Raises DistillationError for a disk that is full."""
        trainer = self._trainer
        weights = trainer.accelerator.get_state_dict(trainer.model) if trainer.is_fsdp_enabled else None
        if not trainer.is_world_process_zero():
            return
        arriving = folder.with_name(f".{folder.name}.arriving")
        shutil.rmtree(arriving, ignore_errors=True)
        try:
            trainer.student.save_pretrained(arriving, state_dict=weights)
            self._processor.save_pretrained(arriving)
            if record:
                (arriving / SCORE_FILE).write_bytes(msgspec.json.encode(record))
            shutil.rmtree(folder, ignore_errors=True)
            arriving.rename(folder)
        except WRITING_ERRORS as error:
            if is_out_of_memory(error):
                raise
            shutil.rmtree(arriving, ignore_errors=True)
            raise not_kept(folder, error) from error


class Budget(TrainerCallback):
    """Ends a training whose minutes are used up, with a checkpoint; more minutes let it go on."""

    def __init__(self, trainer: DistillationTrainer, print_line: Callable[[str], None]) -> None:
        self._trainer = trainer
        self._print = print_line

    @override
    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        if state.global_step < self._trainer.schedule.steps and self._trainer.is_over_budget:
            at = f"step {state.global_step} of {self._trainer.schedule.steps}"
            self._print(f"max_minutes ({self._trainer.schedule.max_minutes:g}) are over: training ends early, at {at}")
            control.should_training_stop = control.should_save = True
        return control
