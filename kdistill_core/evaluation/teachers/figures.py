"""The figures of an evaluation of teachers, as SVG: scores with intervals, pass rates by condition, learning curves."""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kdistill_core.conditions import CONDITIONS
from kdistill_core.evaluation.figures import STYLE, FigureFile, svg_of
from kdistill_core.evaluation.teachers.facts import PASS_RATE
from kdistill_core.evaluation.teachers.learning_curve import LearningCurve
from kdistill_core.evaluation.teachers.result import TeacherQuality, TeacherScore
from kdistill_core.evaluation.teachers.summary import Row, main_rows

# Colors that differ in lightness as well, after Okabe and Ito (2008).
_COLORS = ("#8a949e", "#0b62b8", "#d55e00", "#009e73", "#cc79a7", "#56b4e9")
_COLUMNS = 3
_PANEL_WIDTH, _LINE_HEIGHT = 3.1, 0.26  # inches


def draw_teacher_figures(result: TeacherQuality) -> tuple[FigureFile, ...]:
    """Return the figures of what was measured."""
    names = [teacher.name for teacher in result.teachers]
    figures = []
    rows = main_rows(result)
    if rows:
        figures.append(
            FigureFile(
                "scores",
                "Main scores",
                "Each score with its 95 % interval, a panel a measure, a line a teacher: " + ", ".join(names) + ".",
                _scores(rows, names),
            )
        )
    if any(score.score.metric == PASS_RATE.name for teacher in result.teachers for score in teacher.scores):
        figures.append(
            FigureFile(
                "pass-rates",
                "Gate pass rate by condition",
                "Share of rationales that pass the gate at the first try, with 95 % intervals: "
                + ", ".join(names)
                + ".",
                _pass_rates(result),
            )
        )
    if result.curves:
        figures.append(
            FigureFile(
                "learning-curves",
                "Learning curves",
                "Loss over the steps of training, in nats a token; dots are the loss on held-out documents.",
                draw_learning_curves(result.curves),
            )
        )
    return tuple(figures)


def _scores(rows: Sequence[Row], names: Sequence[str]) -> bytes:
    columns = min(_COLUMNS, len(rows))
    lines = math.ceil(len(rows) / columns)
    height = lines * (0.95 + _LINE_HEIGHT * len(names))
    with mpl.rc_context(STYLE):  # type: ignore[arg-type] # its stubs list every name
        figure = Figure(figsize=(columns * _PANEL_WIDTH, height), layout="constrained")
        for index, row in enumerate(rows):
            axes = figure.add_subplot(lines, columns, index + 1)
            for place, score in enumerate(row.scores):
                _dot(axes, score, place, place)
            axes.set_title(f"{row.metric} {'↑' if row.higher_is_better else '↓'}\n{row.scope}", loc="left")
            axes.set_yticks(range(len(names)), names if index % columns == 0 else [""] * len(names))
            axes.set_ylim(len(names) - 0.5, -0.5)
            if row.share:
                axes.set_xlim(-0.03, 1.03)
            else:
                axes.margins(x=0.15)
        return svg_of(figure)


def _pass_rates(result: TeacherQuality) -> bytes:
    by_teacher = [
        {score.score.scope: score for score in teacher.scores if score.score.metric == PASS_RATE.name}
        for teacher in result.teachers
    ]
    conditions = [condition.value for condition in CONDITIONS if any(condition.value in own for own in by_teacher)]
    step = 0.8 / len(by_teacher)
    with mpl.rc_context(STYLE):  # type: ignore[arg-type] # its stubs list every name
        height = 0.9 + len(conditions) * max(_LINE_HEIGHT, 0.16 * len(by_teacher))
        figure = Figure(figsize=(2 * _PANEL_WIDTH, height), layout="constrained")
        axes = figure.add_subplot()
        for number, own in enumerate(by_teacher):
            for place, condition in enumerate(conditions):
                _dot(axes, own.get(condition), place - 0.4 + (number + 0.5) * step, number)
            axes.plot([], [], "o", color=_color(number), markersize=4, label=result.teachers[number].name)
        axes.set_yticks(range(len(conditions)), conditions)
        axes.set(xlim=(-0.02, 1.02), ylim=(len(conditions) - 0.5, -0.5), xlabel="gate pass rate at the first try")
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
        return svg_of(figure)


def draw_learning_curves(curves: Sequence[LearningCurve]) -> bytes:
    """Return the losses of trainings over their steps, as SVG."""
    with mpl.rc_context(STYLE):  # type: ignore[arg-type] # its stubs list every name
        figure = Figure(figsize=(2 * _PANEL_WIDTH, 2.6), layout="constrained")
        axes = figure.add_subplot()
        for number, curve in enumerate(curves):
            color = _color(number + 1)
            axes.plot(
                [at.step for at in curve.training],
                [at.loss for at in curve.training],
                color=color,
                linewidth=1.2,
                label=f"{curve.name}, training",
            )
            if curve.held_out:
                steps, losses = zip(*((at.step, at.loss) for at in curve.held_out), strict=True)
                axes.plot(
                    steps, losses, "o--", color=color, markersize=4, linewidth=0.8, label=f"{curve.name}, held out"
                )
        axes.set(xlabel="step", ylabel="loss, nats a token")
        axes.legend(frameon=False)
        return svg_of(figure)


def _dot(axes: Axes, score: TeacherScore | None, height: float, number: int) -> None:
    """Draw a score and its interval at ``height``, in the color of teacher ``number``; nothing where it is missing."""
    if score is None or score.score.value is None:
        return
    if score.score.interval is not None:
        ends = (score.score.interval.low, score.score.interval.high)
        axes.plot(ends, (height, height), color=_color(number), linewidth=1.4)
    axes.plot(score.score.value, height, "o", color=_color(number), markersize=4)


def _color(number: int) -> str:
    return _COLORS[number % len(_COLORS)]
