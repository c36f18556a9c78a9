"""Run the experiment on real images, or go on with it.

    python -m training.real_images --config training/configs/real-images.yaml
    python -m training.real_images --config ... --only d --seeds 1 --workers 2

Trains every arm on every kind of training data and writes the page. Whatever is finished stays; a cell that was killed
goes on from its last checkpoint.
"""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path

from jsonargparse import auto_cli

from training.experiment.pool import single_threaded
from training.real_images.page import write_page
from training.real_images.running import run_cells
from training.real_images.settings import RealImageSettings


def run_real_images(
    real: RealImageSettings,
    out: Path = Path("runs/real-images"),
    only: list[str] | None = None,
    data: list[str] | None = None,
    seeds: int | None = None,
    workers: int = 2,
    page: Path | None = None,
    kept: Path | None = None,
) -> None:
    """Run the experiment on real images and write its page.

    out: folder of all cells. only: arms to run, data: kinds of training data (real, phantoms, both), by default all.
    seeds: how many, by default those of the configuration. workers: cells side by side, one thread each. page: where
    the results go; by default to ``out/results.md``, so that a part never takes the place of the whole in the manual.
    kept: folder of archives of finished cells, which are not made again where they were made with these settings, and
    to which this adds.
    """
    single_threaded()
    asked = replace(
        real,
        arms=tuple(only or real.arms),
        data=tuple(data or real.data),
        seeds=real.seeds if seeds is None else seeds,
    )
    run_cells(asked.cells, asked, out, workers, _say, kept)
    command = shlex.join(["python", "-m", "training.real_images", *sys.argv[1:]])
    _say(f"done: {write_page(asked, out, page or out / 'results.md', command, whole=real)}")


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


if __name__ == "__main__":
    auto_cli(run_real_images, as_positional=False)
