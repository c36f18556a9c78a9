"""An evaluation as a folder: scores, a table of cases, predictions, figures, a page, and how it was made.

It is worked on beside its place and moved there when it is whole, so that a folder that looks complete is complete.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kdistill_core.condition_table import ConditionTable
from kdistill_core.datasets.filters import FilterCount
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.figures import FigureFile, Plotted, draw_figures
from kdistill_core.evaluation.label_policy import UncertainPolicy, resolve_uncertain
from kdistill_core.evaluation.pages import render_page
from kdistill_core.evaluation.predictions import ID, prediction_columns, write_predictions, write_table
from kdistill_core.evaluation.procedure import Evaluation
from kdistill_core.records import Provenance
from kdistill_core.serialization import to_json

SCORES, CASES, PREDICTIONS, FIGURES, PAGE, RUN = (
    "scores.json",
    "cases.parquet",
    "predictions.parquet",
    "figures",
    "index.html",
    "run.json",
)
_ENTRIES = frozenset({SCORES, CASES, PREDICTIONS, FIGURES, PAGE, RUN})


@dataclass(frozen=True)
class RunRecord:
    """How an evaluation was made. versions: of the packages that numbers depend on; splits: studies of each split."""

    command: str
    started: str
    seconds: float
    model: Provenance
    opponent: Provenance | None
    data_set: str
    root: str
    splits: dict[str, int]
    filters: tuple[FilterCount, ...]
    versions: dict[str, str] = field(default_factory=dict)
    machine: str = ""


def work_folder(out: Path, *, overwrite: bool) -> Path:
    """Return the folder beside ``out`` that the work is done in; it may be there, with what a stopped run has done.

    Raises EvaluationError where ``out`` is there already and is not to be overwritten, or is no evaluation.
    """
    if out.exists():
        names = {path.name for path in out.iterdir()} if out.is_dir() else None
        if names is None or not names <= _ENTRIES:
            raise EvaluationError(
                f"{out} is there already and holds something else than an evaluation.", "Choose another --out."
            )
        if names and not overwrite:
            raise EvaluationError(
                f"{out} holds an evaluation already.", "Choose another --out, or replace it with --overwrite."
            )
    return out.with_name(out.name + ".partial")


def write_folder(evaluation: Evaluation, run: RunRecord, work: Path, out: Path) -> Path:
    """Write everything into ``work``, move it to ``out`` when it is whole and return that; ``work`` is gone then."""
    fresh = work / "result"
    shutil.rmtree(fresh, ignore_errors=True)
    (fresh / FIGURES).mkdir(parents=True)
    figures = _figures(evaluation)
    for figure in figures:
        (fresh / FIGURES / f"{figure.name}.svg").write_bytes(figure.svg)
    write_predictions(evaluation.answer.raw, fresh / PREDICTIONS)
    _write_cases(evaluation, fresh / CASES)
    (fresh / PAGE).write_text(render_page(evaluation.result, figures), encoding="utf-8")
    (fresh / RUN).write_bytes(to_json(run) + b"\n")
    (fresh / SCORES).write_bytes(to_json(evaluation.result) + b"\n")
    if out.exists():
        shutil.rmtree(out)
    fresh.replace(out)
    shutil.rmtree(work)
    return out


def _figures(evaluation: Evaluation) -> Sequence[FigureFile]:
    evidence, result = evaluation.evidence, evaluation.result
    if evidence.probabilities is None or not result.data.labels:
        return ()
    labels = resolve_uncertain(evidence.labels.select(evidence.probabilities.conditions), UncertainPolicy.IGNORE)
    thresholds = {} if result.thresholds is None else result.thresholds.values
    return draw_figures(Plotted(labels, evidence.probabilities, thresholds, result.scores))


def _write_cases(evaluation: Evaluation, path: Path) -> None:
    """Write a row a case; it can be scored again as a table of predictions."""
    evidence, thresholds = evaluation.evidence, evaluation.result.thresholds
    cases = evidence.cases.cases
    columns: dict[str, pa.Array] = {
        ID: pa.array([case.id for case in cases], pa.string()),
        "study": pa.array([case.study for case in cases], pa.string()),
        "patient": pa.array([case.patient for case in cases], pa.string()),
        "images": pa.array([len(case.images) for case in cases], pa.int32()),
        **prediction_columns(evidence.predictions),
    }
    if evidence.probabilities is not None and thresholds is not None:
        for condition, threshold in thresholds.values.items():
            if condition in evidence.probabilities.conditions:
                called = evidence.probabilities.column(condition) >= threshold
                columns[f"called: {condition.value}"] = pa.array(called)
    for kind, table in (("label", evidence.labels), ("said", evidence.said), ("reference", evidence.reported)):
        columns |= _label_columns(kind, table)
    for name, values in evaluation.scored.cases.items():
        columns[f"score: {name}"] = pa.array(values, from_pandas=True)
    write_table(pa.table(columns), evidence.predictions.origin, path)


def _label_columns(kind: str, table: ConditionTable | None) -> dict[str, pa.Array]:
    """Return a column a condition of 1, 0, -1 (uncertain) and null (blank)."""
    if table is None:
        return {}
    return {f"{kind}: {condition.value}": _codes(table.column(condition)) for condition in table.conditions}


def _codes(column: NDArray[np.float64]) -> pa.Array:
    blank = np.isnan(column)
    return pa.array(np.where(blank, 0, column).astype(np.int8), mask=blank)
