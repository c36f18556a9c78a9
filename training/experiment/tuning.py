"""What is tuned of each arm, with everything that was tried.

Each arm is tried as often, on the same validation cases, at a seed that is not reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from training.experiment.answers import read_chosen
from training.experiment.arms import Arm, arm_named
from training.experiment.folders import read_json, write_json
from training.experiment.pool import Say
from training.experiment.running import Kind, Task, folder_of
from training.experiment.scheduling import run_tasks
from training.experiment.settings import Choice, ExperimentSettings

TUNED = "tuning/tuned.json"


@dataclass(frozen=True)
class Try:
    """One setting of an arm at a noise level and what it scored on the validation cases."""

    noise: str
    arm: str
    choice: Choice
    decoder: str
    text_score: float
    micro_auc: float
    macro_auc: float
    tuning_score: float


@dataclass(frozen=True)
class Tuned:
    """Everything that was tried, in order."""

    tries: tuple[Try, ...]

    def best(self, noise: str, arm: str) -> Try:
        """Return the try with the best mean of text score and micro AUC; that of another level where none is."""
        own = [one for one in self.tries if one.arm == arm and one.noise == noise]
        tried = own or [one for one in self.tries if one.arm == arm]
        return max(tried, key=lambda one: one.tuning_score)


def choices_of(arm: Arm, settings: ExperimentSettings) -> tuple[Choice, ...]:
    """Return what is tried of ``arm``."""
    return settings.tuning.choices if arm.may_be_told else settings.tuning.untold


def noises_of(arm: str, settings: ExperimentSettings) -> tuple[str, ...]:
    """Return the noise levels at which an arm is run: the ceiling, which reads no report, at one alone."""
    return settings.noise_names[:1] if arm_named(arm).sees_truth else settings.noise_names


def tune(
    arms: Sequence[str], settings: ExperimentSettings, out: Path, workers: int, say: Say, kept: Path | None = None
) -> Tuned:
    """Try every choice of ``arms``, write what each scored to ``out/tuning/tuned.json``, and return it.

    kept: folder of archives of finished tries. Raises KDistillError.
    """
    tasks = []
    for arm in arms:
        noises = [name for name in noises_of(arm, settings) if name in (settings.tuning.noises or settings.noise_names)]
        for noise in noises or noises_of(arm, settings)[:1]:
            tasks += [
                Task(Kind.TRY, noise, settings.tuning.seed, arm, choice)
                for choice in choices_of(arm_named(arm), settings)
            ]
    run_tasks(tasks, settings, out, workers, say, kept)
    tuned = Tuned(tuple(_try(task, out) for task in tasks))
    earlier = read_tuned(out).tries if (out / TUNED).is_file() else ()
    others = tuple(one for one in earlier if one.arm not in arms)
    tuned = Tuned((*others, *tuned.tries))
    write_json(out / TUNED, msgspec.to_builtins(tuned))
    return tuned


def read_tuned(out: Path) -> Tuned:
    """Return what was tried. Raises ExperimentError."""
    return msgspec.convert(read_json(out / TUNED), Tuned)


def _try(task: Task, out: Path) -> Try:
    found = read_chosen(folder_of(task, out))
    return Try(
        task.noise,
        task.arm,
        task.choice,
        found.decoder,
        found.text_score,
        found.micro_auc,
        found.macro_auc,
        found.tuning_score,
    )
