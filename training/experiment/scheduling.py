"""Tasks in the order of what they need, on one process or several, with the time left.

What is finished stays: in the folder of runs, or as an archive that was kept of it.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path

from training.experiment.arms import arm_named
from training.experiment.cases import training_cases
from training.experiment.folders import enter, is_finished
from training.experiment.keeping import archive_of, keep, restore
from training.experiment.running import Kind, Task, do, folder_of, made_with_of, needs, single_threaded
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


def run_tasks(
    tasks: Sequence[Task], settings: ExperimentSettings, out: Path, workers: int, say: Say, kept: Path | None = None
) -> None:
    """Do ``tasks`` and what they need; those that are finished are passed over. Raises KDistillError.

    workers: processes side by side, one thread each; 1 for this one alone, which stops at the first task that fails.
    Side by side, whatever does not need that task is done first: a machine that is lent for minutes is not to stand
    still. kept: folder of archives, where ``tasks`` are looked for and put when they are done.
    """
    everything = with_needs(_open(tasks, settings, out, kept))
    progress = _Progress([task for task in everything if not is_finished(folder_of(task, out))], settings, say)
    images = _Images(settings, say)

    def done(task: Task) -> None:
        progress.done(task)
        if kept is not None and task in tasks:
            folder = folder_of(task, out)
            keep(folder, archive_of(folder, out, kept))

    if workers == 1:
        for task in everything:
            images.prepare(task.seed)
            do(task, settings, out)
            done(task)
        return
    _side_by_side(everything, settings, out, workers, images, done, say)


def _side_by_side(
    everything: Sequence[Task],
    settings: ExperimentSettings,
    out: Path,
    workers: int,
    images: _Images,
    done: Callable[[Task], None],
    say: Say,
) -> None:
    """Do all tasks but those that need one that failed; then raise the first failure."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=single_threaded) as pool:
        waiting, running = dict.fromkeys(everything), dict[Future[float], Task]()
        failures: list[BaseException] = []
        try:
            while waiting or running:
                _submit(waiting, running, settings, out, pool, workers, images)
                for ended in wait(running, return_when=FIRST_COMPLETED).done:
                    task, failure = running.pop(ended), ended.exception()
                    if failure is None:
                        done(task)
                        continue
                    failures.append(failure)
                    without = [other for other in waiting if task in with_needs([other])]
                    for other in without:
                        del waiting[other]
                    say(f"failed, and {len(without)} tasks that need it: {task.name}: {failure}")
            if failures:
                raise failures[0]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _open(tasks: Sequence[Task], settings: ExperimentSettings, out: Path, kept: Path | None) -> list[Task]:
    """Return those of ``tasks`` finished neither here nor in ``kept``. Raises ExperimentError for other settings."""
    found = []
    for task in tasks:
        folder, made_with = folder_of(task, out), made_with_of(task, settings)
        if kept is not None:
            restore(archive_of(folder, out, kept), folder, made_with)
        if not (folder.exists() and enter(folder, made_with)):
            found.append(task)
    return found


def _submit(
    waiting: dict[Task, None],
    running: dict[Future[float], Task],
    settings: ExperimentSettings,
    out: Path,
    pool: ProcessPoolExecutor,
    workers: int,
    images: _Images,
) -> None:
    busy = {*waiting, *running.values()}
    for task in [task for task in waiting if not busy.intersection(needs(task))][: workers - len(running)]:
        images.prepare(task.seed)
        del waiting[task]
        running[pool.submit(do, task, settings, out)] = task


class _Images:
    """Simulates the training images of a seed once, before its first task, not in each of the tasks side by side."""

    def __init__(self, settings: ExperimentSettings, say: Say) -> None:
        self._settings = settings
        self._say = say
        self._ready: set[int] = set()

    def prepare(self, seed: int) -> None:
        if seed not in self._ready:
            self._say(f"preparing the images of seed {seed}")
            training_cases(self._settings.cases, self._settings.student.image_size, seed)
            self._ready.add(seed)


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
