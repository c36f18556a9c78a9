"""Open-i's gold labels: NIH's names to ours, either of two columns enough."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from kdistill_core.conditions import Condition
from kdistill_core.datasets.openi_gold import read_openi_gold
from kdistill_core.tables import TableError

HEADER = (
    "filename,Atelectasis,Cardiomegaly,Effusion,Infiltration,Mass,Nodule,Pneumonia,Pneumothorax,Consolidation,"
    "Edema,Emphysema,Fibrosis,Pleural_Thickening,Hernia,normal"
)


def write(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "openi_gold_14_nih_conditions.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_labels_are_read_by_name_and_either_of_two_columns_is_enough(tmp_path: Path) -> None:
    gold = read_openi_gold(
        write(
            tmp_path,
            "CXR1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1",
            "CXR12,1,0,0,1,1,0,0,0,0,0,1,1,0,1,0",
            "CXR7,0,1,1,0,0,1,1,1,1,1,0,0,1,0,0",
        )
    )
    assert gold.ids == ("CXR1", "CXR12", "CXR7")
    positive = {name: [c for c in gold.conditions if gold.rows([name]).column(c)[0] == 1] for name in gold.ids}
    assert positive["CXR1"] == []
    assert set(positive["CXR12"]) == {Condition.ATELECTASIS, Condition.LUNG_OPACITY, Condition.LUNG_LESION}
    assert set(positive["CXR7"]) == {
        Condition.CARDIOMEGALY,
        Condition.PLEURAL_EFFUSION,
        Condition.LUNG_LESION,
        Condition.PNEUMONIA,
        Condition.PNEUMOTHORAX,
        Condition.CONSOLIDATION,
        Condition.EDEMA,
        Condition.PLEURAL_OTHER,
    }
    assert Condition.NO_FINDING not in gold.conditions  # "normal" says something else
    assert len(gold.conditions) == 10


def test_the_order_of_the_columns_does_not_matter(tmp_path: Path) -> None:
    gold = read_openi_gold(write(tmp_path, "1,CXR3,0", "0,CXR4,1", header="Edema,filename,Nodule"))
    assert gold.column(Condition.EDEMA).tolist() == [1, 0]
    assert gold.column(Condition.LUNG_LESION).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        (["CXR1,2"], "filename,Edema", r"line 2, column 'Edema': '2'"),
        (["CXR1,"], "filename,Edema", r"line 2, column 'Edema': ''"),
        (["CXR1,0", "CXR2,0", "CXR1,1"], "filename,Edema", r"line 4: 'CXR1' is there already, in line 2"),
        (["CXR1,0"], "filename,Airspace", r"line 1: no column is named after"),
        (["CXR1,0"], "name,Edema", r"line 1: there is no column 'filename'"),
    ],
)
def test_a_table_of_something_else_is_refused_with_its_line(
    tmp_path: Path, rows: list[str], header: str, message: str
) -> None:
    with pytest.raises(TableError, match=message):
        read_openi_gold(write(tmp_path, *rows, header=header))


@pytest.mark.real_data
def test_the_real_gold_is_counted_as_a_plain_reading_of_the_table_counts_it(shared_data: Path) -> None:
    path = shared_data / "negbio_gold_dev" / "openi_gold_14_nih_conditions.csv"
    gold = read_openi_gold(path)
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(gold) == len(rows) == 3080
    assert np.isin(gold.values, (0, 1)).all()
    assert gold.column(Condition.PLEURAL_EFFUSION).sum() == sum(row["Effusion"] == "1" for row in rows) == 121
    lesions = sum(row["Mass"] == "1" or row["Nodule"] == "1" for row in rows)
    assert gold.column(Condition.LUNG_LESION).sum() == lesions
