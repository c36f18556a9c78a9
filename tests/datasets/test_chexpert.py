"""Miniatures of CheXpert and CheXpert Plus, with their headers as published and the traps of both."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from kdistill_core.conditions import Condition, State
from kdistill_core.datasets.chexpert import SOURCES
from kdistill_core.datasets.contract import DataSet, DatasetError, Ledger, ReadOptions
from kdistill_core.records import Study
from kdistill_core.tables import TableError

PLUS, CHEXPERT = SOURCES

# The published header of train.csv and valid.csv (Irvin et al., 2019).
LABELS = (
    "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema", "Consolidation",
    "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other", "Fracture", "Support Devices",
)  # fmt: skip
HEADER = ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *LABELS)
# The published header of the table of CheXpert Plus; its first column, the row's number, has no name.
PLUS_HEADER = (
    "", "path_to_image", "path_to_dcm", "frontal_lateral", "ap_pa", "deid_patient_id", "patient_report_date_order",
    "report", "section_narrative", "section_clinical_history", "section_history", "section_comparison",
    "section_technique", "section_procedure_comments", "section_findings", "section_impression",
    "section_end_of_impression", "section_summary", "section_accession_number", "age", "sex", "race", "ethnicity",
    "interpreter_needed", "insurance_type", "recent_bmi", "deceased", "split",
)  # fmt: skip


def write_table(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])


def read(data: DataSet) -> tuple[dict[str, Study], dict[str, tuple[int, tuple[str, ...]]]]:
    """Return the studies by id and what was noted: kind to count and examples."""
    ledger = Ledger()
    studies = {study.id: study for study in data.iterate(ledger)}
    return studies, {remark.kind: (remark.count, remark.examples) for remark in ledger.remarks()}


def states_of(study: Study) -> dict[str, State]:
    return {f.condition.value: f.state for f in study.findings if f.state is not State.BLANK}


def row(path: str, view: tuple[str, str] = ("Frontal", "AP"), who: tuple[str, str] = ("Male", "68"), **states: str):
    by_name = {name.replace("_", " "): state for name, state in states.items()}
    return (path, *who, *view, *(by_name.get(name, "") for name in LABELS))


TRAIN = (
    row("train/patient00001/study1/view1_frontal.jpg", who=("Female", "68"), No_Finding="1.0", Support_Devices="1.0"),
    row("train/patient00002/study2/view1_frontal.jpg", ("Frontal", "PA"), Edema="-1.0", Pneumothorax="0.0"),
    row("train/patient00002/study2/view2_lateral.jpg", ("Lateral", ""), Edema="-1.0", Pneumothorax="0.0"),
    row("train/patient00002/study1/view1_frontal.jpg", who=("Unknown", "0"), Cardiomegaly="1"),
)
VALID = (row("valid/patient64541/study1/view1_frontal.jpg", **{name.replace(" ", "_"): "0.0" for name in LABELS}),)


def write_chexpert(root: Path, prefix: str, train=TRAIN, valid=VALID) -> Path:
    root.mkdir(exist_ok=True)
    for name, rows in (("train", train), ("valid", valid)):
        write_table(root / f"{name}.csv", HEADER, [(f"{prefix}/{path}", *rest) for path, *rest in rows])
        for path, *_ in rows:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).touch()
    return root


@pytest.fixture
def chexpert(tmp_path) -> Path:
    return write_chexpert(tmp_path / "CheXpert-v1.0-small", "CheXpert-v1.0-small")


@pytest.mark.parametrize("prefix", ["CheXpert-v1.0", "CheXpert-v1.0-small"])
@pytest.mark.parametrize("folder", ["CheXpert-v1.0", "CheXpert-v1.0-small", "data"])
def test_images_are_found_whichever_release_was_unpacked_where(tmp_path, prefix, folder):
    root = write_chexpert(tmp_path / folder, prefix)
    assert [source.name for source in SOURCES if source.recognizes(root)] == ["chexpert"]
    studies, remarks = read(CHEXPERT.open(root, ReadOptions()))
    assert remarks == {}
    assert all(Path(image.source.path).is_file() for study in studies.values() for image in study.images)


def test_views_of_one_folder_are_one_study(chexpert):
    studies, _ = read(CHEXPERT.open(chexpert, ReadOptions()))
    assert list(studies) == ["patient00001_study1", "patient00002_study2", "patient00002_study1", "patient64541_study1"]
    study = studies["patient00002_study2"]
    assert [(image.id, image.view_position) for image in study.images] == [
        ("patient00002_study2_view1_frontal", "PA"),
        ("patient00002_study2_view2_lateral", "LATERAL"),
    ]
    assert states_of(study) == {"Edema": State.UNCERTAIN, "Pneumothorax": State.NEGATIVE}
    assert study.report is None


def test_the_tables_are_the_splits(chexpert):
    data = CHEXPERT.open(chexpert, ReadOptions())
    studies, _ = read(data)
    assert {study.split for study in studies.values()} == {"train", "validation"}
    assert [study.id for study in data.studies("validation")] == ["patient64541_study1"]
    assert "test" in data.splits


def test_the_test_set_published_later_is_read_where_it_lies_beside(chexpert):
    """Its table has neither sex, age nor view, and its paths no release."""
    rows = [("test/patient64741/study1/view1_frontal.jpg", *("1.0" if name == "Edema" else "0.0" for name in LABELS))]
    write_table(chexpert / "test_labels.csv", ("Path", *LABELS), rows)
    studies, remarks = read(CHEXPERT.open(chexpert, ReadOptions()))
    assert studies["patient64741_study1"].split == "test"
    assert states_of(studies["patient64741_study1"])["Edema"] is State.POSITIVE
    assert remarks == {
        "empty view position": (1, ("patient64741_study1_view1_frontal",)),
        "missing image": (1, ("patient64741_study1_view1_frontal",)),
    }


def test_sex_and_age_are_written_as_dicom_writes_them(chexpert):
    studies, _ = read(CHEXPERT.open(chexpert, ReadOptions()))
    known, unknown = studies["patient00001_study1"].patient, studies["patient00002_study1"].patient
    assert (known.id, known.sex, known.age) == ("patient00001", "F", "068Y")
    assert (unknown.id, unknown.sex, unknown.age) == ("patient00002", "", "")


def test_each_trap_of_chexpert_is_noted_by_name(tmp_path):
    train = [
        *TRAIN,
        row("train/patient00003/study1/view1_frontal.jpg", Edema="1.0"),
        row("train/patient00003/study1/view2_frontal.jpg", ("", ""), Edema="0.0"),
        row("train/patient00004/study1/view1_frontal.jpg"),
        row("train/patient64541/study2/view1_frontal.jpg", Edema="1.0"),
    ]
    root = write_chexpert(tmp_path / "chexpert", "CheXpert-v1.0", train)
    (root / "train/patient00001/study1/view1_frontal.jpg").unlink()
    (root / "train/patient00003/study1/view3_frontal.jpg").touch()
    (root / "train/patient00009").mkdir()
    studies, remarks = read(CHEXPERT.open(root, ReadOptions()))
    assert remarks == {
        "empty view position": (1, ("patient00003_study1_view2_frontal",)),
        "labels disagree": (1, ("patient00003_study1",)),
        "missing image": (1, ("patient00001_study1_view1_frontal",)),
        "unlisted image": (1, ("patient00003_study1_view3_frontal",)),
        "all-blank labels": (1, ("patient00004_study1",)),
        "unlisted folder": (1, ("patient00009",)),
        "patient in two splits": (1, ("patient64541",)),
    }
    assert len(studies["patient00001_study1"].images) == 1
    assert states_of(studies["patient00003_study1"]) == {"Edema": State.POSITIVE}  # of the first image


def test_labels_are_mapped_by_name_whatever_the_order_of_columns(chexpert):
    before, _ = read(CHEXPERT.open(chexpert, ReadOptions()))
    for name in ("train.csv", "valid.csv"):
        rows = [line[::-1] for line in csv.reader((chexpert / name).read_text().splitlines())]
        write_table(chexpert / name, rows[0], rows[1:])
    after, _ = read(CHEXPERT.open(chexpert, ReadOptions()))
    assert after == before


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([TRAIN[0], TRAIN[0]], "train.csv, line 3: the image is listed a second time"),
        ([row("train/patient1/view1.jpg")], "train.csv, line 2: the path is not of the form"),
        ([TRAIN[0], row("train/patient2/study1/view1_frontal.jpg", Edema="u")], "line 3: 'u' is no label of Edema"),
    ],
)
def test_bad_rows_are_refused_with_file_and_line(chexpert, rows, message):
    write_table(chexpert / "train.csv", HEADER, rows)
    with pytest.raises((DatasetError, TableError)) as error:
        read(CHEXPERT.open(chexpert, ReadOptions()))
    assert message in error.value.problem
    assert error.value.advice


def test_a_folder_with_another_train_table_is_not_chexpert(tmp_path):
    (tmp_path / "train.csv").write_text("image_id,class_name,class_id\n1,Aortic enlargement,0\n")
    assert not CHEXPERT.recognizes(tmp_path)
    (tmp_path / "valid.csv").write_bytes(b"")
    assert not CHEXPERT.recognizes(tmp_path)
    assert not PLUS.recognizes(tmp_path)


def test_two_tables_of_one_split_are_refused(chexpert):
    write_table(chexpert / "val_labels.csv", HEADER, [])
    with pytest.raises(DatasetError, match=r"valid\.csv and val_labels\.csv"):
        CHEXPERT.open(chexpert, ReadOptions())


# CheXpert Plus: the second study's images are apart in the table, as in the published one.
REPORTS = {
    "patient42142/study5": {
        "report": "NARRATIVE:\nChest 1 View\n\nIMPRESSION:\n\n1. No pneumothorax.",
        "section_narrative": "Chest 1 View",
        "section_impression": "1. No pneumothorax.",
    },
    "patient00007/study1": {
        "report": "HISTORY: cough\nCOMPARISON: none\nFINDINGS: Clear, \"normal\".\nIMPRESSION: Normal.",
        "section_clinical_history": "cough",
        "section_history": "smoker",
        "section_comparison": "none",
        "section_findings": "Clear, \"normal\".",
        "section_impression": "Normal.",
    },
    "patient64545/study1": {},
}  # fmt: skip
PLUS_IMAGES = (
    ("train/patient42142/study5/view1_frontal", "Frontal", "AP", "train"),
    ("train/patient00007/study1/view2_lateral", "Lateral", "", "train"),
    ("valid/patient64545/study1/view1_frontal", "Frontal", "PA", "valid"),
    ("train/patient00007/study1/view1_frontal", "Frontal", "PA", "train"),
)


def plus_row(number: int, name: str, frontal_lateral: str, ap_pa: str, split: str) -> list[object]:
    _, patient, study, _ = name.split("/")
    known = {
        "": number, "path_to_image": f"{name}.jpg", "path_to_dcm": f"{name}.dcm", "frontal_lateral": frontal_lateral,
        "ap_pa": ap_pa, "deid_patient_id": patient, "patient_report_date_order": study[5:], "age": "61.0",
        "sex": "Female", "split": split, **REPORTS[f"{patient}/{study}"],
    }  # fmt: skip
    return [known.get(column, "") for column in PLUS_HEADER]


def label_line(name: str, **states: float | None) -> str:
    labels = {name: states.get(name.replace(" ", "_")) for name in LABELS}
    return json.dumps({"path_to_image": f"{name}.jpg", **labels})


@pytest.fixture
def plus(tmp_path) -> Path:
    root = tmp_path / "chexpertplus"
    labels = root / "chexbert_labels"
    labels.mkdir(parents=True)
    rows = [plus_row(number, *image) for number, image in enumerate(PLUS_IMAGES)]
    write_table(root / "df_chexpert_plus_240401.csv", PLUS_HEADER, rows)
    write_labels(root, "impression", Pneumothorax=0.0, Support_Devices=-1.0)
    write_labels(root, "report", Edema=1.0)
    for name, *_ in PLUS_IMAGES:
        image = root / "PNG" / "PNG" / f"{name}.png"
        image.parent.mkdir(parents=True, exist_ok=True)
        image.touch()
    return root


def write_labels(root: Path, part: str, **states: float) -> None:
    lines = [label_line(name, **states) for name, *_ in PLUS_IMAGES]
    (root / "chexbert_labels" / f"{part}_fixed.json").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_chexpert_plus_is_read_with_reports_labels_and_views(plus):
    assert [source.name for source in SOURCES if source.recognizes(plus)] == ["chexpert-plus"]
    data = PLUS.open(plus, ReadOptions())
    studies, remarks = read(data)
    assert list(studies) == ["patient42142_study5", "patient00007_study1", "patient64545_study1"]
    study = studies["patient00007_study1"]
    assert [(image.id, image.view_position) for image in study.images] == [
        ("patient00007_study1_view2_lateral", "LATERAL"),
        ("patient00007_study1_view1_frontal", "PA"),
    ]
    assert all(Path(image.source.path).is_file() for each in studies.values() for image in each.images)
    assert study.report.text == REPORTS["patient00007/study1"]["report"]
    assert study.report.sections == {
        "history": "cough\nsmoker", "comparison": "none", "findings": 'Clear, "normal".', "impression": "Normal.",
    }  # fmt: skip
    assert states_of(study) == {"Pneumothorax": State.NEGATIVE, "Support Devices": State.UNCERTAIN}
    assert (study.patient.id, study.patient.sex, study.patient.age) == ("patient00007", "F", "061Y")
    assert {each.id: each.split for each in studies.values()}["patient64545_study1"] == "validation"
    assert remarks == {"missing report": (1, ("patient64545_study1",))}
    assert data.conditions == tuple(Condition)


def test_the_labels_of_chexpert_plus_are_of_the_part_asked_for(plus):
    data = PLUS.open(plus, ReadOptions(labels="report"))
    assert states_of(read(data)[0]["patient42142_study5"]) == {"Edema": State.POSITIVE}
    assert data.label_source == "CheXbert, from the whole reports"
    with pytest.raises(DatasetError, match=r"findings_fixed\.json"):
        PLUS.open(plus, ReadOptions(labels="findings"))


def test_chexpert_plus_without_reports_gives_the_same_studies(plus):
    with_reports, _ = read(PLUS.open(plus, ReadOptions()))
    without, remarks = read(PLUS.open(plus, ReadOptions(reports=False)))
    assert list(without) == list(with_reports)
    assert {study.report for study in without.values()} == {None}
    assert remarks == {}


def test_png_is_preferred_to_dicom_and_dicom_read_where_it_is_alone(plus):
    for name, *_ in PLUS_IMAGES:
        image = plus / "DICOM" / f"{name}.dcm"
        image.parent.mkdir(parents=True, exist_ok=True)
        image.touch()
    (plus / "PNG" / "PNG" / f"{PLUS_IMAGES[0][0]}.png").unlink()
    studies, _ = read(PLUS.open(plus, ReadOptions()))
    assert {study.id: Path(study.images[0].source.path).suffix for study in studies.values()} == {
        "patient42142_study5": ".dcm", "patient00007_study1": ".png", "patient64545_study1": ".png",
    }  # fmt: skip


def test_each_trap_of_chexpert_plus_is_noted_by_name(plus):
    lines = [
        label_line(PLUS_IMAGES[0][0]),
        label_line(PLUS_IMAGES[1][0], Edema=1.0),
        label_line(PLUS_IMAGES[3][0], Edema=0.0),
        label_line("train/patient00099/study1/view1_frontal"),
    ]
    (plus / "chexbert_labels" / "impression_fixed.json").write_text("\n".join(lines), encoding="utf-8")
    (plus / "PNG" / "PNG" / f"{PLUS_IMAGES[1][0]}.png").rename(plus / "PNG/PNG/train/patient00007/study1/view3.png")
    studies, remarks = read(PLUS.open(plus, ReadOptions()))
    assert remarks == {
        "all-blank labels": (1, ("patient42142_study5",)),
        "labels disagree": (1, ("patient00007_study1",)),
        "labels of an unknown study": (1, ("patient00099_study1",)),
        "no labels": (1, ("patient64545_study1",)),
        "missing image": (1, ("patient00007_study1_view2_lateral",)),
        "unlisted image": (1, ("patient00007_study1_view3",)),
        "missing report": (1, ("patient64545_study1",)),
    }
    assert studies["patient64545_study1"].findings == ()
    assert len(studies["patient00007_study1"].images) == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (label_line(PLUS_IMAGES[0][0]).replace("null", "2.0", 1), "line 2: 2.0 is no label of No Finding"),
        (label_line(PLUS_IMAGES[0][0]).replace("null", '"1"', 1), "line 2: '1' is no label of No Finding"),
        (label_line(PLUS_IMAGES[0][0]).replace("null", "true", 1), "line 2: True is no label of No Finding"),
        (label_line(PLUS_IMAGES[0][0]).replace("Edema", "edema"), "line 2: there is no label of Edema"),
        ("{", "line 2: this is not JSON"),
        ("[]", "line 2: this is no JSON object"),
        ('{"path_to_image": "x.jpg"}', "line 2: the path is not of the form"),
    ],
)
def test_bad_labels_of_chexpert_plus_are_refused_with_file_and_line(plus, line, message):
    path = plus / "chexbert_labels" / "impression_fixed.json"
    path.write_text(f"\n{line}\n", encoding="utf-8")
    with pytest.raises((DatasetError, TableError)) as error:
        read(PLUS.open(plus, ReadOptions()))
    assert f"impression_fixed.json, {message}" in error.value.problem
    assert error.value.advice
