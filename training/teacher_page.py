"""The summary of a teacher's training: the curve of each stage and its losses at the beginning and the end."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from kdistill_core.evaluation.result import NOTICE
from kdistill_core.evaluation.teachers.figures import draw_learning_curves
from kdistill_core.evaluation.teachers.learning_curve import LearningCurve, LossAtStep, read_learning_curve

PAGE = "training.html"


@dataclass(frozen=True)
class StageSummary:
    """A stage at a glance. first, last: held-out loss where it was measured, else training loss, in nats a token."""

    name: str
    steps: int
    first: LossAtStep
    last: LossAtStep
    held_out: bool
    figure: Markup

    @property
    def perplexity_ratio(self) -> float:
        """Last over first perplexity."""
        return exp(self.last.loss - self.first.loss)


def write_page(out: Path, stages: list[str]) -> Path:
    """Write ``out/training.html`` from the records of the finished stages in ``out``. Raises EvaluationError."""
    summaries = [_summary(name, read_learning_curve(out / name)) for name in stages]
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), undefined=StrictUndefined, autoescape=True
    )
    page = environment.get_template("teacher-training.html.jinja").render(stages=summaries, notice=NOTICE)
    path = out / PAGE
    path.write_text(page, encoding="utf-8")
    return path


def _summary(name: str, curve: LearningCurve) -> StageSummary:
    measured = curve.held_out or curve.training
    steps = max(at.step for at in (*curve.training, *curve.held_out))
    figure = Markup(draw_learning_curves([curve]).decode("utf-8"))  # noqa: S704 - our own drawing
    return StageSummary(name, steps, measured[0], measured[-1], bool(curve.held_out), figure)
