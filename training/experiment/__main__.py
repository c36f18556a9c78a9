"""Run the experiment, or go on with it.

    python -m training.experiment --config training/configs/experiment.yaml
    python -m training.experiment --config ... --only d --seeds 1 --workers 2

Tunes every arm, runs all arms over all seeds and noise levels, and writes the page. Whatever is finished stays; a run
that was killed goes on from its last checkpoint.
"""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path

from jsonargparse import auto_cli

from kdistill_core.datasets import Split
from training.experiment.arms import arm_named
from training.experiment.cases import held_out_cases
from training.experiment.decoding import BEAMS
from training.experiment.page import write_results
from training.experiment.pool import single_threaded
from training.experiment.running import Kind, Task
from training.experiment.scheduling import run_tasks
from training.experiment.settings import ExperimentSettings
from training.experiment.tuning import Tuned, noises_of, tune


def run_experiment(
    experiment: ExperimentSettings,
    out: Path = Path("runs/experiment"),
    only: list[str] | None = None,
    seeds: int | None = None,
    workers: int = 2,
    page: Path | None = None,
    kept: Path | None = None,
) -> None:
    """Run the experiment and write its page.

    out: folder of all runs. only: arms to run, by default all. seeds: how many, by default those of the configuration.
    workers: runs side by side, one thread each. page: where the results go; by default to ``out/results.md``, so that a
    part of the experiment never takes the place of the whole in the manual. kept: folder of archives of finished runs,
    which are not made again where they were made with these settings, and to which this adds.
    """
    single_threaded()
    settings = experiment if seeds is None else replace(experiment, seeds=seeds)
    arms = [arm_named(name).name for name in only or settings.arms]
    _simulate_held_out(settings)
    tuned = tune(arms, settings, out, workers, _say, kept)
    run_tasks(runs_of(arms, settings, tuned), settings, out, workers, _say, kept)
    command = shlex.join(["python", "-m", "training.experiment", *sys.argv[1:]])
    where = write_results(settings, arms, out, page or out / "results.md", command)
    _say(f"done: {where}")


def runs_of(arms: list[str], settings: ExperimentSettings, tuned: Tuned) -> list[Task]:
    """Return the runs that are reported, seed by seed, so that an early end leaves whole seeds."""
    tasks = []
    for seed in range(settings.seeds):
        for arm in arms:
            for noise in noises_of(arm, settings):
                best = tuned.best(noise, arm)
                tasks.append(Task(Kind.RUN, noise, seed, arm, best.choice, beams=best.decoder == BEAMS))
    return tasks


def _simulate_held_out(settings: ExperimentSettings) -> None:
    """Prepare the images of validation and test before runs start side by side."""
    _say("preparing the images of validation and test")
    for split in (Split.VALIDATION, Split.TEST):
        held_out_cases(settings.cases, settings.student.image_size, split)


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


if __name__ == "__main__":
    auto_cli(run_experiment, as_positional=False)
