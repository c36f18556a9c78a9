"""Tables of predictions: there and back without loss, and every fault named by file and line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kdistill_core.condition_table import ConditionTable
from kdistill_core.conditions import CONDITIONS, Condition
from kdistill_core.errors import KDistillError
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.predictions import Origin, Predictions, read_predictions, write_predictions
from kdistill_core.records import Provenance


def test_predictions_come_back_with_their_origin(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((3, 14))
    said = Predictions(
        ("a", "b", "c"),
        ConditionTable(("a", "b", "c"), CONDITIONS, values),
        ("Line one.\nLine two, with “quotes”.", "", "x"),
        Origin(Provenance(model_name="m", weights_sha256="0" * 64), "nih", "test", {Condition.EDEMA: 0.3}),
    )
    write_predictions(said, tmp_path / "p.parquet")
    back = read_predictions(tmp_path / "p.parquet")
    assert (back.ids, back.reports, back.origin) == (said.ids, said.reports, said.origin)
    assert back.probabilities is not None
    np.testing.assert_array_equal(back.probabilities.values, values)


def test_columns_are_known_by_name_in_any_order_and_others_are_named(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("note,pleural_effusion,id,Edema\nx,0.25,a,0.75\n")
    said = read_predictions(path)
    assert said.probabilities is not None
    assert said.probabilities.column(Condition.PLEURAL_EFFUSION).tolist() == [0.25]
    assert said.probabilities.column(Condition.EDEMA).tolist() == [0.75]
    assert said.unused == ("note",)
    assert said.reports is None


def test_a_line_is_counted_as_an_editor_counts_it(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text('id,report,Edema\na,"two\nlines",0.1\nb,x,\n')
    with pytest.raises(EvaluationError, match=r"line 4, column 'Edema': nothing is not a probability"):
        read_predictions(path)


@pytest.mark.parametrize("cell", ["-0.01", "1.01", "nan", "inf", "yes", "-3.2"])
def test_what_is_no_probability_is_refused(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "p.csv"
    path.write_text(f"id,Edema\na,{cell}\n")
    with pytest.raises(EvaluationError, match=r"p\.csv, line 2.*logits go through a sigmoid"):
        read_predictions(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,Edema\na,0.5\na,0.4\n", "line 3: the id 'a' was there before, in line 2"),
        ("id,Edema\n,0.5\n", "line 2: the id is empty"),
        ("id,Edema\n", "holds no case"),
        ("id,Edema,edema\na,0.5,0.4\n", "twice"),
        ("id,Oedema\na,0.5\n", "neither a column 'report'"),
    ],
)
def test_faults_of_a_table_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "p.csv"
    path.write_text(text)
    with pytest.raises(KDistillError, match=message):
        read_predictions(path)


def test_a_cut_off_parquet_file_is_refused_and_a_null_has_its_row(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    pq.write_table(pa.table({"id": ["a", "b"], "Edema": [0.5, None]}), path)
    with pytest.raises(EvaluationError, match=r"p\.parquet, row 2, column 'Edema': nothing"):
        read_predictions(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(EvaluationError, match="not a whole Parquet file"):
        read_predictions(path)
    with pytest.raises(EvaluationError, match="There is no table"):
        read_predictions(tmp_path / "none.csv")
