"""The model card: what the student is for, what it learned from, and what it scored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import transformers

from kdistill_core.conditions import Condition
from kdistill_core.evaluation.scores import Convention, Score
from kdistill_core.evaluation.summary import beats, interval_text, main_scores, number_text
from training.page import machine, markdown, versions
from training.student_data import NIH, DataSettings

CARD_FILE = "README.md"
_SHOWN = frozenset({"AUC", "F1", "expected calibration error", "text F1"})
_SETS = {
    "phantom": "Phantom results: simulated radiographs, seeds never seen in training",
    NIH: "Real radiographs: NIH ChestX-ray14, patients never seen in training",
}


@dataclass(frozen=True)
class SetMetrics:
    """One held-out set and every score on it. conditions: that its labels know; examples: of what was written."""

    name: str
    images: int
    patients: int
    conditions: tuple[Condition, ...]
    constant_text: str
    scores: tuple[Score, ...]
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Metrics:
    """Everything measured of one checkpoint; ``note`` is what a reader of the scores has to know beside them."""

    weights_sha256: str
    command: str
    sets: tuple[SetMetrics, ...]
    note: str = ""


def write_card(folder: Path, metrics: Metrics, data: DataSettings) -> None:
    """Write the model card of the checkpoint in ``folder``."""
    text = markdown(
        "student-card.md.jinja",
        {"number": number_text, "interval": interval_text},
        metrics=metrics,
        sets=[_shown(measured) for measured in metrics.sets],
        data=data,
        titles={**_SETS, **{one.name: f"{one.name}: cases of its test split" for one in data.sets}},
        megabytes=sum(path.stat().st_size for path in folder.glob("*.safetensors")) / 1e6,
        machine=machine(),
        versions=versions(transformers),
    )
    (folder / CARD_FILE).write_text(text, encoding="utf-8")


def _shown(measured: SetMetrics) -> dict[str, Any]:
    """Return what the card shows of a set: main scores with all their baselines, and two scores a condition."""
    main = [score for score in main_scores(measured.scores) if score.metric in _SHOWN]
    unproven = [
        f"{_name(score)} against {baseline.name}"
        for score in main
        for baseline in score.baselines
        if not beats(score, baseline)
    ]
    by_condition = []
    for condition in measured.conditions:
        area, text = (_of(condition, metric, measured.scores) for metric in ("AUC", "text F1"))
        by_condition.append({"condition": condition.value, "area": area, "text": text})
    named = [(_name(score), score) for score in main]
    return {"set": measured, "main": named, "unproven": unproven, "by_condition": by_condition}


def _name(score: Score) -> str:
    said = f", {score.convention}" if score.convention else ""
    return f"{score.metric}, {score.scope}{said}"


def _of(condition: Condition, metric: str, scores: tuple[Score, ...]) -> Score:
    return next(
        score
        for score in scores
        if score.metric == metric
        and score.scope == condition.value
        and score.convention in (None, Convention.POSITIVE_ONLY)
    )
