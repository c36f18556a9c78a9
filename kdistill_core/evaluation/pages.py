"""The result of an evaluation as one self-contained page: no script, style, font or picture is fetched."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kdistill_core.conditions import CONDITIONS, Condition
from kdistill_core.evaluation.figures import FigureFile
from kdistill_core.evaluation.result import EvaluationResult
from kdistill_core.evaluation.scores import Score
from kdistill_core.evaluation.summary import beats, hardest_baseline, interval_text, main_scores, number_text
from kdistill_core.html import page_template

# By condition: metric, and how its column is headed.
_CLASSIFICATION = (
    ("AUC", "AUC"),
    ("average precision", "Average precision"),
    ("sensitivity", "Sensitivity"),
    ("specificity", "Specificity"),
    ("PPV", "PPV"),
    ("F1", "F1"),
    ("expected calibration error", "ECE"),
)
_TEXT = (("text F1", "Text F1"), ("text precision", "Precision"), ("text recall", "Recall"))


def render_page(result: EvaluationResult, figures: Sequence[FigureFile]) -> str:
    """Return the page as HTML. Nothing of a patient stands in it but counts and, of images that failed, their ids."""
    return page_template("kdistill_core.evaluation", "evaluation.html.j2").render(
        result=result,
        figures=[{"name": f.name, "title": f.title, "text": f.text, "url": data_url(f.svg)} for f in figures],
        main=[_row(score) for score in main_scores(result.scores)],
        classification=_by_condition(result, _CLASSIFICATION, text=False),
        text=_by_condition(result, _TEXT, text=True),
        every=[_row(score) for score in result.scores],
        differences=() if result.opponent is None else main_scores(result.opponent.differences),
        number=number_text,
        interval=interval_text,
        provenance=_provenance(result),
    )


@dataclass(frozen=True)
class _Row:
    """A score as a line of a table; lead: over the hardest baseline, and whether its interval says so."""

    score: Score
    value: str
    interval: str
    baseline: str
    lead: str
    proven: bool | None

    @property
    def how(self) -> str:
        """Section and labeler, as far as the score has them."""
        parts = (self.score.section, self.score.labeler and f"labeler: {self.score.labeler}")
        return "; ".join(str(part) for part in parts if part)


def _row(score: Score) -> _Row:
    baseline = hardest_baseline(score)
    return _Row(
        score=score,
        value=number_text(score.value),
        interval=interval_text(score.interval),
        baseline="" if baseline is None else f"{number_text(baseline.value)} ({baseline.name})",
        lead="" if baseline is None else interval_text(baseline.difference),
        proven=None if baseline is None else beats(score, baseline),
    )


def _by_condition(result: EvaluationResult, metrics: Sequence[tuple[str, str]], *, text: bool) -> list[dict[str, Any]]:
    """Return a table for each convention the scores are in: its heading, columns and a row a condition."""
    names = [metric for metric, _ in metrics]
    scores = [s for s in result.scores if s.metric in names and s.scope in _SCOPES and bool(s.section) is text]
    tables = []
    for convention in dict.fromkeys(score.convention for score in scores):
        cells = {(s.scope, s.metric): s for s in scores if s.convention is convention}
        shown = [(metric, heading) for metric, heading in metrics if any(key[1] == metric for key in cells)]
        rows = []
        for condition in CONDITIONS:
            own = [cells.get((condition.value, metric)) for metric, _ in shown]
            first = next((score for score in own if score is not None), None)
            if first is not None:
                rows.append({"condition": condition.value, "n": first.n, "positive": first.positive, "scores": own})
        tables.append(
            {"convention": str(convention or ""), "headings": [heading for _, heading in shown], "rows": rows}
        )
    return tables


_SCOPES = frozenset(condition.value for condition in Condition)


def _provenance(result: EvaluationResult) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    of_models = [("Model", result.model)]
    if result.opponent is not None:
        of_models.append(("Other model", result.opponent.provenance))
    for who, provenance in of_models:
        rows += [
            (who, " ".join(part for part in (provenance.model_name, provenance.model_version) if part)),
            (f"{who}: weights sha256", provenance.weights_sha256),
            (f"{who}: preprocessing sha256", provenance.preprocessing_sha256),
            (f"{who}: device", " ".join(part for part in (provenance.device, provenance.precision) if part)),
            (f"{who}: predicted with", provenance.software_version),
            (f"{who}: predicted at", provenance.created),
        ]
    rows += [
        ("Labeler", result.data.labeler),
        ("Bootstrap", f"{result.resamples} resamples of patients, seed {result.seed}"),
    ]
    return [(name, value) for name, value in rows if value]


def data_url(svg: bytes) -> str:
    """Return a figure as the address of an image that holds it."""
    # As an image, not inline: what an SVG could do is not done, and the ids of two figures cannot meet.
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode('ascii')}"
