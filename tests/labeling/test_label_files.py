"""Tables of reports and of labels, whole and broken."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random

import numpy as np
import pandas
import pytest

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.labeling.label_files import (
    LABEL_COLUMNS,
    LabelWriter,
    ReportRow,
    count_reports,
    ignored_columns,
    read_labels,
    read_reports,
    write_evidence,
    written_whole,
)
from kdistill_core.labeling.labelers import LabelingError
from kdistill_core.records import Finding, Span
from kdistill_core.tables import TableError

# The header of CheXpert's train.csv, without its columns of images.
CHEXPERT_ORDER = (
    "No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,Lung Lesion,Edema,Consolidation,Pneumonia,"
    "Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,Fracture,Support Devices"
)
NAN = float("nan")


@pytest.fixture
def table(tmp_path):
    def write(text: str, name: str = "table.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


# Reports -------------------------------------------------------------------------------------------------------------


def test_reports_are_read_with_their_lines_whatever_the_order_of_columns(table):
    path = table('view,report,id\nPA,"No effusion.\nHeart normal.", a \nAP,,b\n')

    assert list(read_reports(path)) == [
        ReportRow(2, "a", "No effusion.\nHeart normal."),
        ReportRow(4, "b", ""),
    ]
    assert count_reports(path) == 2
    assert ignored_columns(path) == ("view",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,report\na,x\nb,y\na,z\n", "line 4: the id was there before, in line 2"),
        ('id,report\na,"x\ny"\n a ,z\n', "line 4: the id was there before, in line 2"),
        ("id,report\na,x\n ,y\n", "line 3: the id is empty"),
    ],
)
def test_an_id_that_does_not_name_one_report_is_refused(table, text, said):
    with pytest.raises(LabelingError, match=said) as caught:
        count_reports(table(text))
    assert "table.csv" in caught.value.problem
    assert caught.value.advice


def test_ids_are_never_quoted_in_a_message(table):
    """In a hospital's own table they are accession numbers."""
    with pytest.raises(LabelingError) as caught:
        count_reports(table("id,report\nACC4711,x\nACC4711,y\n"))
    assert "4711" not in str(caught.value)


def test_a_table_without_a_needed_column_is_refused(table):
    with pytest.raises(TableError, match="no column 'report'"):
        count_reports(table("id,Report Impression\na,x\n"))


# Labels --------------------------------------------------------------------------------------------------------------


def findings(**states: State) -> tuple[Finding, ...]:
    return tuple(Finding(Condition[name], state) for name, state in states.items())


def test_labels_are_written_in_the_order_and_code_of_chexpert():
    stream = io.StringIO()
    writer = LabelWriter(stream)
    writer.write(
        "a", findings(EDEMA=State.UNCERTAIN, NO_FINDING=State.BLANK, PNEUMONIA=State.NEGATIVE, FRACTURE=State.POSITIVE)
    )
    writer.write('b,"c"', findings(NO_FINDING=State.POSITIVE))

    lines = stream.getvalue().splitlines()
    assert lines == [f"id,{CHEXPERT_ORDER}", "a,,,,,,-1,,0,,,,,1,", '"b,""c""",1,,,,,,,,,,,,,']


def test_labels_come_back_whatever_the_order_of_columns(tmp_path):
    """Shuffled by another library; the values follow the names."""
    random.seed(5)
    codes = {State.POSITIVE: 1.0, State.NEGATIVE: 0.0, State.UNCERTAIN: -1.0, State.BLANK: NAN}
    states = [[random.choice(list(State)) for _ in CONDITIONS] for _ in range(40)]
    path = tmp_path / "labels.csv"
    with written_whole(path) as stream:
        writer = LabelWriter(stream)
        for number, row in enumerate(states):
            pairs = list(zip(CONDITIONS, row, strict=True))
            random.shuffle(pairs)
            writer.write(f"s{number}", [Finding(condition, state) for condition, state in pairs])
    frame = pandas.read_csv(path).sample(axis="columns", frac=1, random_state=1)
    shuffled = tmp_path / "shuffled.csv"
    frame.assign(note="kept out").to_csv(shuffled, index=False)  # pandas writes 1.0, -1.0 and empty cells

    expected = np.array([[codes[state] for state in row] for row in states])
    for source in (path, shuffled):
        labels = read_labels(source)
        assert labels.ids == tuple(f"s{number}" for number in range(40))
        assert labels.conditions == CONDITIONS
        np.testing.assert_array_equal(labels.values, expected)
    assert list(frame.columns) != ["id", *LABEL_COLUMNS]


def test_a_gzipped_table_of_labels_is_written_and_read(tmp_path):
    path = tmp_path / "labels.csv.gz"
    with written_whole(path) as stream:
        LabelWriter(stream).write("a", findings(EDEMA=State.POSITIVE))

    assert gzip.decompress(path.read_bytes()).startswith(b"id,No Finding,")
    assert read_labels(path).column(Condition.EDEMA) == [1.0]


@pytest.mark.parametrize("cell", ["2", "0.5", "nan", "yes", "1,0", "--1", "+1", "1.00", "-0", "u"])
def test_what_is_no_label_is_refused_with_line_and_column(table, cell):
    row = ["a", *[""] * 14]
    row[6] = cell
    text = io.StringIO()
    csv.writer(text).writerows([["id", *CHEXPERT_ORDER.split(",")], ["z", *["1"] * 14], row])
    with pytest.raises(LabelingError, match=r"line 3: the cell under 'Edema' is no label") as caught:
        read_labels(table(text.getvalue()))
    assert "table.csv" in caught.value.problem
    assert "1, 0, -1" in caught.value.advice


def test_blanks_around_a_label_do_not_matter(table):
    labels = read_labels(table(f"id,{CHEXPERT_ORDER}\na, 1 ,,,,,-1.0,0.0,,,,,,,\n"))
    assert labels.column(Condition.NO_FINDING) == [1]
    assert labels.column(Condition.EDEMA) == [-1]
    assert labels.column(Condition.CONSOLIDATION) == [0]


def test_a_table_of_labels_that_lacks_or_doubles_a_column_is_refused(table):
    with pytest.raises(TableError, match="no column 'Edema'"):
        read_labels(table(f"id,{CHEXPERT_ORDER.replace('Edema', 'Oedema')}\n"))
    with pytest.raises(TableError, match="'Edema' is there twice"):
        read_labels(table(f"id,{CHEXPERT_ORDER},Edema\n"))
    with pytest.raises(TableError, match="no column 'id'"):
        read_labels(table(f"study,{CHEXPERT_ORDER}\n"))


def test_a_doubled_id_among_labels_is_refused(table):
    with pytest.raises(LabelingError, match="line 3: the id was there before, in line 2"):
        read_labels(table(f"id,{CHEXPERT_ORDER}\n" + f"a{',' * 14}\n" * 2))


def test_a_table_of_no_labels_is_empty(table):
    labels = read_labels(table(f"id,{CHEXPERT_ORDER}\n"))
    assert (len(labels), labels.values.shape) == (0, (0, 14))


# Evidence ------------------------------------------------------------------------------------------------------------


def test_evidence_quotes_the_passages_that_decided():
    stream = io.StringIO()
    said = [
        Finding(Condition.EDEMA, State.NEGATIVE, evidence=(Span(0, 9), Span(11, 27))),
        Finding(Condition.FRACTURE, State.BLANK),
        Finding(Condition.NO_FINDING, State.POSITIVE),
    ]
    write_evidence(stream, "a", "No edema. «Ödem» nicht sichtbar.", said)

    assert "Ödem" in stream.getvalue()
    assert json.loads(stream.getvalue()) == {
        "id": "a",
        "findings": [
            {
                "condition": "Edema",
                "state": "negative",
                "evidence": [
                    {"start": 0, "end": 9, "text": "No edema."},
                    {"start": 11, "end": 27, "text": "Ödem» nicht sich"},
                ],
            },
            {"condition": "No Finding", "state": "positive", "evidence": []},
        ],
    }
    assert stream.getvalue().count("\n") == 1


# Files that are there whole or not at all ----------------------------------------------------------------------------


def test_a_file_gets_its_name_only_when_it_is_whole(tmp_path):
    path = tmp_path / "labels.csv"
    with written_whole(path) as stream:
        stream.write("half")
        stream.flush()
        assert not path.exists()
        (partial,) = tmp_path.iterdir()
        assert partial.name.startswith("labels.csv.")
        assert partial.suffix == ".partial"
        stream.write(" and half")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("labels.csv", "half and half")]


@pytest.mark.parametrize("fault", [LabelingError("a bad row"), KeyboardInterrupt(), GeneratorExit()])
def test_an_error_leaves_nothing_and_an_older_file_as_it_was(tmp_path, fault):
    path = tmp_path / "labels.csv"
    path.write_text("older")

    def write_half():
        with written_whole(path) as stream:
            stream.write("half")
            raise fault

    with pytest.raises(type(fault)):
        write_half()
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("labels.csv", "older")]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with (
        pytest.raises(LabelingError, match=r"labels\.csv cannot be written: No such file") as caught,
        written_whole(tmp_path / "nowhere" / "labels.csv"),
    ):
        pass
    assert "folder" in caught.value.advice
