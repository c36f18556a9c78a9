"""The summary of a student's training: every term, what it does to the encoder, and what the student earned by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from markupsafe import Markup

from kdistill_core.distillation.schedule import Schedule
from kdistill_core.distillation.validation import BEST, PREFIX, SCORE_FILE
from training.page import Curve, draw_curves, write_page

RELIANCE = "image reliance"
Log = Sequence[Mapping[str, float]]


@dataclass(frozen=True)
class Panel:
    """A drawing and what it shows."""

    title: str
    text: str
    figure: Markup


def write_student_page(out: Path, schedule: Schedule, log: Log, minutes: float) -> Path:
    """Write ``out/training.html`` from the trainer's log of a run that has ended."""
    best = msgspec.json.decode((out / BEST / SCORE_FILE).read_bytes(), type=dict[str, float])
    steps = int(max((entry["step"] for entry in log), default=0))
    return write_page(
        out,
        "student-training.html.jinja",
        stages=schedule.stages,
        panels=_panels(schedule, log),
        best={name: value for name, value in best.items() if name != "step"},
        best_step=int(best["step"]),
        steps=steps,
        planned=schedule.steps,
        minutes=minutes,
    )


def _panels(schedule: Schedule, log: Log) -> list[Panel]:
    starts = [sum(stage.steps for stage in schedule.stages[:place]) for place in range(1, len(schedule.stages))]

    def panel(title: str, text: str, curves: Mapping[str, Curve], label: str, *, dots: bool = False) -> list[Panel]:
        return [Panel(title, text, draw_curves(curves, label, starts, dots=dots))] if curves else []

    scores = _ending(log, PREFIX, prefixed=True)
    reliance = {name: curve for name, curve in scores.items() if name == RELIANCE}
    losses = {name: curve for name, curve in scores.items() if name.startswith("text loss")}
    others = {name: curve for name, curve in scores.items() if name not in reliance | losses}
    return [
        *panel("Terms", "Each term by itself, before its weight.", _ending(log, "/raw"), "loss"),
        *panel("Weighted terms", "What each term adds to the loss.", _ending(log, "/weighted"), "weighted loss"),
        *panel(
            "Gradients on the encoder",
            "How hard each weighted term pulls at what all terms share. One far above the others decides alone.",
            _ending(log, "/gradient_norm"),
            "norm of the gradient",
        ),
        *panel("Gradient", "Its norm over all parameters, before clipping.", _named(log, "grad_norm"), "norm"),
        *panel("Learning rate", "As the stages set it.", _named(log, "learning_rate"), "rate"),
        *panel("Validation scores", "On cases that are not trained on.", others, "score", dots=True),
        *panel("Validation loss of the text", "In nats a token.", losses, "nats a token", dots=True),
        *panel(
            "Image reliance",
            "Loss of the text with the right image minus its loss with another case's, in nats a token: at 0 the text "
            "ignores the image, and the lower the more it follows it.",
            reliance,
            "nats a token",
            dots=True,
        ),
    ]


def _ending(log: Log, part: str, *, prefixed: bool = False) -> dict[str, Curve]:
    """Return the curves whose names end (or begin) with ``part``, by what else they are named."""
    found: dict[str, list[tuple[float, float]]] = {}
    for entry in log:
        for name, value in entry.items():
            if name.startswith(part) if prefixed else name.endswith(part):
                short = name.removeprefix(part) if prefixed else name.removesuffix(part)
                found.setdefault(short, []).append((entry["step"], value))
    return dict(sorted(found.items()))


def _named(log: Log, name: str) -> dict[str, Curve]:
    curve = [(entry["step"], entry[name]) for entry in log if name in entry]
    return {name: curve} if curve else {}
