"""Curves of training and validation, from the runs' own records, to see whether every arm has converged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from training.experiment.arms import Arm
from training.experiment.fitting import HEADS, TEXTS, Curve
from training.experiment.folders import is_finished, read_json
from training.experiment.materials import AUC, RELIANCE, TEXT_LOSS
from training.experiment.running import CURVES, Kind, Task, folder_of
from training.experiment.settings import ExperimentSettings
from training.experiment.tuning import Tuned

# What each panel shows: a name in the records and its title.
_PANELS = (
    ("classification/raw", "classification loss, training"),
    (f"validation/{AUC}", "micro AUC, validation (gold labels)"),
    ("generation/raw", "text loss, training (nats a token)"),
    (f"validation/{TEXT_LOSS}", "loss of the arm's own target texts, validation"),
    (f"validation/{RELIANCE}", "text loss, own minus another image, validation"),
)


def draw_curves(
    arms: Sequence[Arm], settings: ExperimentSettings, tuned: Tuned, out: Path, noise: str, picture: Path
) -> Path:
    """Draw the curves of all finished runs of a noise level, the mean over seeds of each arm, to ``picture``."""
    figure, axes = plt.subplots(len(_PANELS), 1, figsize=(9, 3 * len(_PANELS)), layout="constrained")
    for arm in arms:
        records = [
            _records(task, settings, out)
            for seed in range(settings.seeds)
            if is_finished(
                folder_of(task := Task(Kind.RUN, noise, seed, arm.name, tuned.best(noise, arm.name).choice), out)
            )
        ]
        for axis, (name, _) in zip(axes, _PANELS, strict=True):
            _draw(axis, f"{arm.name}: {arm.title}", records, name)
    for axis, (_, title) in zip(axes, _PANELS, strict=True):
        axis.set_title(title, fontsize="medium")
        axis.axvline(settings.budget.heads, color="0.8", linewidth=0.8)
        axis.axvline(settings.budget.heads + settings.budget.decoder, color="0.8", linewidth=0.8)
    axes[-1].set_xlabel("step")
    handles, labels = axes[2].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize="small")
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=100)
    plt.close(figure)
    return picture


def _records(task: Task, settings: ExperimentSettings, out: Path) -> Curve:
    """Return the records of a run from its first step."""
    own: dict[str, Curve] = read_json(folder_of(task, out) / CURVES)
    return [*own[HEADS], *({**entry, "step": entry["step"] + settings.budget.heads} for entry in own[TEXTS])]


def _draw(axis: Axes, label: str, records: Sequence[Curve], name: str) -> None:
    at: dict[float, list[float]] = defaultdict(list)
    for record in records:
        for entry in record:
            if name in entry:
                at[entry["step"]].append(entry[name])
    if at:
        steps = sorted(at)
        axis.plot(steps, [np.mean(at[step]) for step in steps], label=label, linewidth=1.2)
