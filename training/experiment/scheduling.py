"""Tasks in the order of what they need, on one process or several, with the time left.

What is finished stays: in the folder of runs, or as an archive that was kept of it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path

from training.experiment.arms import arm_named
from training.experiment.cases import training_cases
from training.experiment.folders import is_finished
from training.experiment.keeping import archive_of, keep, was_finished
from training.experiment.pool import Say, run_jobs
from training.experiment.running import Kind, Task, do, folder_of, made_with_of, needs
from training.experiment.settings import ExperimentSettings

# What a step with texts takes beside one of images alone, and what answering and reading take in such steps; for the
# time left.
_TEXT_STEP, _ANSWERS, _READING = 3.0, 250.0, 100.0


def with_needs(tasks: Sequence[Task]) -> list[Task]:
    """Return ``tasks`` and all that they need, each once, before what needs it."""
    found: dict[Task, None] = {}

    def add(task: Task) -> None:
        for earlier in needs(task):
            add(earlier)
        found[task] = None

    for task in tasks:
        add(task)
    return list(found)


def run_tasks(
    tasks: Sequence[Task], settings: ExperimentSettings, out: Path, workers: int, say: Say, kept: Path | None = None
) -> None:
    """Do ``tasks`` and what they need; those that are finished are passed over. Raises KDistillError.

    workers: processes side by side; see :func:`.pool.run_jobs`. kept: folder of archives, where ``tasks`` are looked
    for and put when they are done.
    """
    unfinished = [
        task for task in tasks if not was_finished(folder_of(task, out), out, made_with_of(task, settings), kept)
    ]
    everything = with_needs(unfinished)
    progress = _Progress([task for task in everything if not is_finished(folder_of(task, out))], settings, say)

    @cache
    def simulate(seed: int) -> None:
        """Simulate the training images of a seed here, not in each of the tasks side by side."""
        say(f"preparing the images of seed {seed}")
        training_cases(settings.cases, settings.student.image_size, seed)

    def done(task: Task) -> None:
        progress.done(task)
        if kept is not None and task in unfinished:
            folder = folder_of(task, out)
            keep(folder, archive_of(folder, out, kept))

    run_jobs(
        everything,
        partial(do, settings=settings, out=out),
        workers,
        before=lambda task: simulate(task.seed),
        done=done,
        say=say,
        needs=needs,
    )


class _Progress:
    """Says what was done and how long the rest takes, at the speed so far."""

    def __init__(self, tasks: Sequence[Task], settings: ExperimentSettings, say: Say) -> None:
        self._left = {task: _cost(task, settings) for task in tasks}
        self._total = len(self._left)
        self._spent = 0.0
        self._started = time.monotonic()
        self._say = say

    def done(self, task: Task) -> None:
        if task not in self._left:
            return
        self._spent += self._left.pop(task)
        rest = (time.monotonic() - self._started) / self._spent * sum(self._left.values()) / 60
        self._say(f"{self._total - len(self._left)} of {self._total}: {task.name}; {rest:.0f} min left")


def _cost(task: Task, settings: ExperimentSettings) -> float:
    """Return about how long a task takes, in steps on images alone."""
    budget = settings.budget
    match task.kind:
        case Kind.READ:
            return _READING
        case Kind.SOFTEN:
            return budget.heads * (settings.labels.folds - 1)
        case Kind.HEADS:
            return budget.heads
    steps = budget.decoder + budget.all + (0 if arm_named(task.arm).has_heads else budget.heads)
    return _TEXT_STEP * steps + _ANSWERS
