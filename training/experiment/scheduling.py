"""Tasks in the order of what they need, on one process or several, with the time left."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path

from training.experiment.arms import arm_named
from training.experiment.folders import is_finished
from training.experiment.running import Kind, Task, do, folder_of, needs, single_threaded
from training.experiment.settings import ExperimentSettings

# What a step with texts takes beside one of images alone, and what answering and reading take in such steps; for the
# time left.
_TEXT_STEP, _ANSWERS, _READING = 3.0, 250.0, 100.0

Say = Callable[[str], None]


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


def run_tasks(tasks: Sequence[Task], settings: ExperimentSettings, out: Path, workers: int, say: Say) -> None:
    """Do ``tasks`` and what they need; those that are finished are passed over. Raises KDistillError.

    workers: processes side by side, one thread each; 1 for this one alone.
    """
    everything = with_needs(tasks)
    progress = _Progress([task for task in everything if not is_finished(folder_of(task, out))], settings, say)
    if workers == 1:
        for task in everything:
            do(task, settings, out)
            progress.done(task)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=single_threaded) as pool:
        waiting, running = dict.fromkeys(everything), dict[Future[float], Task]()
        try:
            while waiting or running:
                _submit(waiting, running, settings, out, pool, workers)
                for ended in wait(running, return_when=FIRST_COMPLETED).done:
                    ended.result()
                    progress.done(running.pop(ended))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _submit(
    waiting: dict[Task, None],
    running: dict[Future[float], Task],
    settings: ExperimentSettings,
    out: Path,
    pool: ProcessPoolExecutor,
    workers: int,
) -> None:
    busy = {*waiting, *running.values()}
    for task in [task for task in waiting if not busy.intersection(needs(task))][: workers - len(running)]:
        del waiting[task]
        running[pool.submit(do, task, settings, out)] = task


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
