"""`kdistill student train`: start a training of a student.

The training itself is `training/student.py`, a module that `accelerate launch` and torchrun start by its name, and that
uses evaluation, which lies above distillation. It belongs to the source, not to the installed package, so this command
starts it as a process of its own and never imports it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

import kdistill_core
from kdistill_core.errors import KDistillError

_MODULE = "training.student"


def train(
    config: Annotated[
        Path, typer.Argument(help="A configuration such as training/configs/student-demo.yaml.", metavar="CONFIG")
    ],
    processes: Annotated[int, typer.Option(help="Processes that train together on this machine.", min=1)] = 1,
) -> None:
    """Train a student, from nothing to a checkpoint with its scores; a run that was interrupted goes on."""
    if not config.is_file():
        raise KDistillError(f"There is no configuration {config}.", "Start from training/configs/student-demo.yaml.")
    root = source_root(Path(kdistill_core.__file__))
    paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(command(config, processes), env=environment, check=False)
    if done.returncode:
        raise typer.Exit(1)


def command(config: Path, processes: int) -> list[str]:
    """Return the command that trains by ``config``."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    return [sys.executable, *(launcher if processes > 1 else []), "-m", _MODULE, "--config", str(config)]


def source_root(package: Path) -> Path:
    """Return the folder that holds the package and the trainings. Raises KDistillError where there are no trainings."""
    root = package.resolve().parents[1]
    if not root.joinpath(*_MODULE.split(".")).with_suffix(".py").is_file():
        raise KDistillError(
            f"The trainings do not come with the installed package in {root}.",
            "Get the source, install it with `pip install -e .[train]`, and train from there.",
        )
    return root
