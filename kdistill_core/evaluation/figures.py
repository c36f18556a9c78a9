"""The figures of an evaluation, as SVG: curves and counts, one small panel a condition.

Drawn without pyplot, so that nothing here depends on a display or leaves a figure open.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from kdistill_core.condition_table import ConditionTable
from kdistill_core.conditions import Condition
from kdistill_core.evaluation.classification_metrics import AUC, AVERAGE_PRECISION, CALIBRATION_ERROR
from kdistill_core.evaluation.counting import confusion
from kdistill_core.evaluation.curves import pr_curve_points, roc_curve_points
from kdistill_core.evaluation.reliability import reliability_bins
from kdistill_core.evaluation.scores import Score

ROC, PRECISION_RECALL, RELIABILITY, CONFUSION = "roc", "precision-recall", "reliability", "confusion"

_COLUMNS = 5
_PANEL = (2.0, 2.05)  # inches
_MODEL, _BLIND, _TEXT = "#0b62b8", "#8a949e", "#14191e"
STYLE = {
    "font.size": 7.5,
    "axes.titlesize": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _BLIND,
    "text.color": _TEXT,
    "svg.fonttype": "path",  # the page must look the same where the font is not installed
    "svg.hashsalt": "kdistill",  # the same figure has the same bytes
}


@dataclass(frozen=True, eq=False)
class Plotted:
    """What the figures show: labels of 1, 0 and NaN (left out), probabilities and thresholds of the same conditions.

    scores: of the evaluation, for the numbers written into the panels.
    """

    labels: ConditionTable
    probabilities: ConditionTable
    thresholds: dict[Condition, float]
    scores: tuple[Score, ...]


@dataclass(frozen=True)
class FigureFile:
    """A figure and what it shows. text: for those who cannot see it."""

    name: str
    title: str
    text: str
    svg: bytes


def draw_figures(plotted: Plotted) -> tuple[FigureFile, ...]:
    """Return the figures of the conditions that some case is labeled for."""
    conditions = [c for c in plotted.labels.conditions if not np.isnan(plotted.labels.column(c)).all()]
    if not conditions:
        return ()
    drawn = (
        (
            ROC,
            "ROC curves",
            "Sensitivity over false positive rate of each condition; the diagonal is chance, the dot the threshold. "
            "Above each: cases that have it, and the AUC with its 95 % interval.",
            _roc,
            AUC,
        ),
        (
            PRECISION_RECALL,
            "Precision-recall curves",
            "Precision over recall of each condition; the dashed line is the prevalence, the dot the threshold. "
            "Above each: cases that have it, and the average precision with its 95 % interval.",
            _precision_recall,
            AVERAGE_PRECISION,
        ),
        (
            RELIABILITY,
            "Reliability",
            "Share of positives over mean probability in 15 bins of equal width, the area of a dot the number of "
            "cases; on the diagonal, probabilities mean what they say. Above each: cases that have it, and the "
            "expected calibration error with its 95 % interval.",
            _reliability,
            CALIBRATION_ERROR,
        ),
        (
            CONFUSION,
            "Confusion at the thresholds",
            "Cases called present or absent by the labels, with the share of each row.",
            _confusion,
            "",
        ),
    )
    return tuple(
        FigureFile(name, title, text, _draw(conditions, plotted, panel, metric))
        for name, title, text, panel, metric in drawn
    )


_Panel = Callable[[Axes, Plotted, Condition], None]


def _draw(conditions: Sequence[Condition], plotted: Plotted, panel: _Panel, metric: str) -> bytes:
    """Return a figure of panels. metric: whose value stands above each panel; empty for none."""
    columns = min(_COLUMNS, len(conditions))
    rows = math.ceil(len(conditions) / columns)
    with mpl.rc_context(STYLE):  # type: ignore[arg-type] # its stubs list every name
        figure = Figure(figsize=(columns * _PANEL[0], rows * _PANEL[1]), layout="constrained")
        for index, condition in enumerate(conditions):
            axes = figure.add_subplot(rows, columns, index + 1)
            panel(axes, plotted, condition)
            known = plotted.labels.column(condition)
            count, positive = int((~np.isnan(known)).sum()), int((known > 0.5).sum())
            axes.set_title(condition.value, loc="left", pad=14)
            shown = f"{positive} of {count}{_number(plotted, metric, condition)}"
            axes.text(0, 1.03, shown, ha="left", va="bottom", transform=axes.transAxes)
        return svg_of(figure)


def svg_of(figure: Figure) -> bytes:
    """Return a figure as SVG; to be called within ``STYLE``, which makes the same figure the same bytes."""
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue()


def _roc(axes: Axes, plotted: Plotted, condition: Condition) -> None:
    scores, labels = plotted.probabilities.column(condition), plotted.labels.column(condition)
    curve = roc_curve_points(scores, labels)
    _unit_square(axes, "false positive rate", "sensitivity")
    if curve is None:
        _say(axes, "not defined:\na class is missing")
        return
    axes.plot([0, 1], [0, 1], color=_BLIND, linewidth=0.8, linestyle="--")
    axes.plot(curve.false_positive_rate, curve.sensitivity, color=_MODEL, linewidth=1.4)
    _mark(axes, plotted, condition, lambda called: (_share(called, labels <= 0.5), _share(called, labels > 0.5)))


def _precision_recall(axes: Axes, plotted: Plotted, condition: Condition) -> None:
    scores, labels = plotted.probabilities.column(condition), plotted.labels.column(condition)
    curve = pr_curve_points(scores, labels)
    _unit_square(axes, "recall", "precision")
    if curve is None:
        _say(axes, "not defined:\nno case has it")
        return
    axes.axhline(curve.prevalence, color=_BLIND, linewidth=0.8, linestyle="--")
    axes.plot(curve.recall, curve.precision, color=_MODEL, linewidth=1.4, drawstyle="steps-pre")
    _mark(axes, plotted, condition, lambda called: (_share(called, labels > 0.5), _precision(called, labels)))


def _reliability(axes: Axes, plotted: Plotted, condition: Condition) -> None:
    scores, labels = plotted.probabilities.column(condition), plotted.labels.column(condition)
    bins = reliability_bins(scores, labels)
    _unit_square(axes, "probability", "share of positives")
    axes.plot([0, 1], [0, 1], color=_BLIND, linewidth=0.8, linestyle="--")
    filled = bins.count > 0
    area = 4 + 60 * bins.count[filled] / bins.count.max()
    axes.scatter(bins.mean_probability[filled], bins.share_positive[filled], s=area, color=_MODEL, alpha=0.75)


def _confusion(axes: Axes, plotted: Plotted, condition: Condition) -> None:
    threshold = plotted.thresholds.get(condition)
    axes.set_xticks([0, 1], ["called", "not called"])
    axes.set_yticks([0, 1], ["present", "absent"])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(b=False)
    if threshold is None:
        axes.set(xlim=(-0.5, 1.5), ylim=(1.5, -0.5))
        _say(axes, "no threshold")
        return
    labels = plotted.labels.select((condition,))
    called = (plotted.probabilities.select((condition,)).values >= threshold).astype(np.float64)
    (counted,) = confusion(labels, ConditionTable(labels.ids, (condition,), called, labels.groups))
    counts = np.array(
        [[counted.true_positive, counted.false_negative], [counted.false_positive, counted.true_negative]]
    )
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row in range(2):
        for column in range(2):
            ink = "white" if shares[row, column] > 0.55 else _TEXT
            text = f"{counts[row, column]}\n{shares[row, column]:.0%}" if counts[row].sum() else "0"
            axes.text(column, row, text, ha="center", va="center", color=ink)
    axes.set_xlabel(f"threshold {threshold:.2f}")


def _unit_square(axes: Axes, across: str, up: str) -> None:
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=across, ylabel=up, aspect="equal")
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])


def _mark(
    axes: Axes, plotted: Plotted, condition: Condition, place: Callable[[NDArray[np.bool_]], tuple[float, float]]
) -> None:
    """Put a dot where the threshold lies on the curve."""
    threshold = plotted.thresholds.get(condition)
    if threshold is not None:
        axes.plot(*place(plotted.probabilities.column(condition) >= threshold), "o", color=_TEXT, markersize=4)


def _share(called: NDArray[np.bool_], of: NDArray[np.bool_]) -> float:
    return float((called & of).sum() / max(int(of.sum()), 1))


def _precision(called: NDArray[np.bool_], labels: NDArray[np.float64]) -> float:
    """Return the share of the called that are present; NaN, which is not drawn, where none of the known is called."""
    known = called & ~np.isnan(labels)
    return float((labels[known] > 0.5).mean()) if known.any() else math.nan


def _number(plotted: Plotted, metric: str, condition: Condition) -> str:
    """Return a condition's score with its interval, to be written above its panel; empty where it is not defined."""
    for score in plotted.scores:
        if score.metric == metric and score.scope == condition.value and score.value is not None:
            interval = score.interval
            ends = "" if interval is None else f" [{interval.low:.2f}, {interval.high:.2f}]"
            return f"; {score.value:.2f}{ends}"
    return ""


def _say(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, ha="center", va="center", color=_BLIND, transform=axes.transAxes)
