"""The summary of a teacher's training: the curve of each stage and its losses at the beginning and the end."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from pathlib import Path

from markupsafe import Markup

from kdistill_core.evaluation.teachers.figures import draw_learning_curves
from kdistill_core.evaluation.teachers.learning_curve import LearningCurve, LossAtStep, read_learning_curve
from training.page import markup, write_page


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


def write_teacher_page(out: Path, stages: list[str]) -> Path:
    """Write ``out/training.html`` from the records of the finished stages in ``out``. Raises EvaluationError."""
    summaries = [_summary(name, read_learning_curve(out / name)) for name in stages]
    return write_page(out, "teacher-training.html.jinja", stages=summaries)


def _summary(name: str, curve: LearningCurve) -> StageSummary:
    measured = curve.held_out or curve.training
    steps = max(at.step for at in (*curve.training, *curve.held_out))
    figure = markup(draw_learning_curves([curve]))
    return StageSummary(name, steps, measured[0], measured[-1], bool(curve.held_out), figure)
