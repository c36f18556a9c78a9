"""The model card: what the student is for, what it learned from, and what it scored."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from transformers import __version__ as transformers_version

from training.student_data import NIH, DataSettings

if TYPE_CHECKING:
    from training.evaluate_student import Metrics

CARD_FILE = "README.md"
_SETS = {
    "phantom": "Phantom results: simulated radiographs, seeds never seen in training",
    NIH: "Real radiographs: NIH ChestX-ray14, patients never seen in training",
}


def write_card(folder: Path, metrics: Metrics, data: DataSettings) -> None:
    """Write the model card of the checkpoint in ``folder``."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Markdown, not HTML
    )
    environment.tests["search_minus"] = lambda name: " minus " in name
    text = environment.get_template("student-card.md.jinja").render(
        metrics=metrics,
        data=data,
        titles=_SETS,
        megabytes=sum(path.stat().st_size for path in folder.glob("*.safetensors")) / 1e6,
        machine=f"{os.cpu_count()} CPU cores, {platform.machine()}",
        versions=", ".join(
            [
                f"Python {platform.python_version()}",
                f"torch {torch.__version__}",
                f"transformers {transformers_version}",
            ]
        ),
    )
    (folder / CARD_FILE).write_text(text, encoding="utf-8")
