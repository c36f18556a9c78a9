"""A plain folder with a table: everything optional is read, everything doubtful is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from kdistill_core.conditions import Condition, State
from kdistill_core.datasets.contract import DataSet, DatasetError, Ledger, ReadOptions
from kdistill_core.datasets.image_folder import SOURCES
from kdistill_core.datasets.splits import split_of
from kdistill_core.records import Study
from kdistill_core.tables import TableError

(IMAGES,) = SOURCES


def write(root: Path, *lines: str, table: str = "images.csv", images: tuple[str, ...] = ()) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / table).write_text("\n".join(lines) + "\n", encoding="utf-8")
    for name in images:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4)).save(root / name)
    return root


def opened(root: Path) -> DataSet:
    assert IMAGES.recognizes(root)
    return IMAGES.open(root, ReadOptions())


def read(root: Path, options: ReadOptions | None = None) -> tuple[list[Study], dict[str, int]]:
    ledger = Ledger()
    studies = list(IMAGES.open(root, options or ReadOptions()).iterate(ledger))
    return studies, {remark.kind: remark.count for remark in ledger.remarks()}


def states(study: Study) -> dict[Condition, State]:
    return {finding.condition: finding.state for finding in study.findings}


def test_a_table_with_everything_is_read(tmp_path: Path) -> None:
    write(
        tmp_path,
        "image,patient,study,view,split,report,Pneumonia,No Finding,Support_Devices",
        'a/1.png,P1,S1,PA,train,"FINDINGS: Clear, mostly.\nIMPRESSION: Normal.",1,0,-1',
        "b/1.png,P2,S2,AP,val,b/report.txt,,1.0,",
        "a/2.png,P1,S1,LATERAL,train,,1,0,-1",
        images=("a/1.png", "a/2.png", "b/1.png"),
    )
    (tmp_path / "b/report.txt").write_text("IMPRESSION: No change.")
    studies, remarks = read(tmp_path)
    by_id = {study.id: study for study in studies}
    first, second = by_id["S1"], by_id["S2"]
    assert [(image.id, image.view_position) for image in first.images] == [("a/1", "PA"), ("a/2", "LATERAL")]
    assert (first.patient.id, first.split, second.split) == ("P1", "train", "validation")
    assert first.report is not None
    assert first.report.sections["findings"] == "Clear, mostly."
    assert second.report is not None
    assert second.report.text == "IMPRESSION: No change."
    assert states(first)[Condition.PNEUMONIA] is State.POSITIVE
    assert states(first)[Condition.SUPPORT_DEVICES] is State.UNCERTAIN
    assert states(second)[Condition.PNEUMONIA] is State.BLANK
    assert states(second)[Condition.NO_FINDING] is State.POSITIVE
    assert states(second)[Condition.EDEMA] is State.BLANK
    assert opened(tmp_path).conditions == (Condition.PNEUMONIA, Condition.SUPPORT_DEVICES, Condition.NO_FINDING)
    assert remarks == {}
    assert all(study.report is None for study in read(tmp_path, ReadOptions(reports=False))[0])


@pytest.mark.parametrize("column", ["image", "file", "path", "Image"])
def test_a_list_of_images_is_enough(tmp_path: Path, column: str) -> None:
    root = write(tmp_path, f",{column}", "0,1.png", "1,sub\\2.dcm", table="my list.csv", images=("1.png",))
    studies, remarks = read(root)
    assert [study.id for study in studies] == ["1", "sub/2"]
    assert studies[0].findings == ()
    assert studies[0].split == split_of("images", "1").value
    assert remarks == {"missing image": 1, "empty view position": 2}
    assert "by a hash of the image" in opened(root).splits


def test_patients_stay_on_one_side_where_no_split_is_given(tmp_path: Path) -> None:
    lines = [f"{n}.png,P{n % 40}" for n in range(200)]
    studies, _ = read(write(tmp_path, "image,patient", *lines))
    assert len({(study.patient.id, study.split) for study in studies}) == 40
    assert {study.split for study in studies} == {"train", "validation", "test"}


def test_what_does_not_fit_together_is_noted(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        "image,patient,study,split,report,scanner,Edema",
        "1.png,P1,S1,train,missing.txt,X,1",
        "2.png,P1,S1,test,latin.txt,X,0",
        "3.png,P1,S2,train,,Y,",
        "4.png,P2,S3,,,Y,0",
        images=("1.png", "2.png", "3.png", "4.png"),
    )
    (root / "latin.txt").write_bytes("Alvéoles".encode("latin-1"))
    studies, remarks = read(root)
    assert [study.split for study in studies] == ["test", "train", ""]
    assert states(studies[0])[Condition.EDEMA] is State.POSITIVE
    assert studies[0].report is not None
    assert studies[0].report.text == "Alv�oles"
    assert remarks == {
        "unused column": 1,
        "empty view position": 4,
        "study in two splits": 1,
        "patient in two splits": 1,
        "labels disagree": 1,
        "report not UTF-8": 1,
        "all-blank labels": 1,
        "no split": 1,
        "missing report": 2,
    }


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["image,Edema", "1.png,2"], "line 2, column 'Edema': '2' is no label"),
        (["image,Edema", "1.png,yes"], "line 2, column 'Edema': 'yes' is no label"),
        (["image,Edema", "1.png,inf"], "line 2, column 'Edema': 'inf' is no label"),
        (["image", "1.png", "../2.png"], "line 3: the path in 'image' leaves the folder"),
        (["image", "/etc/1.png"], "line 2: the path in 'image' leaves the folder"),
        (["image,report", "1.png,../../1.txt"], "line 2: the path in 'report' leaves the folder"),
        (["image", "1.png", "2.png", "./1.jpg"], "line 4: the image of this row is there already, in line 2"),
        (["image,view", ",PA"], "line 2: the cell 'image' is empty"),
        (["image,study", "1.png,"], "line 2: the cell 'study' is empty"),
        (["image,study,patient", "1.png,S,P1", "2.png,S,P2"], "line 3: the study of this row is another patient's"),
        (["image,split", "1.png,dev"], "line 2: there is no split 'dev'"),
        (["image,Edema", "1.png,1,1"], "line 2: the row has 3 cells"),
        (["image,Edema,Edema", "1.png,1,1"], "line 1: the column 'Edema' is there twice"),
        (["image,Edema,edema", "1.png,1,1"], "line 1: 'Edema' and 'edema' are one column twice"),
        (["image,Cardiomegally", "1.png,1"], "line 1: .* it seems to mean 'Cardiomegaly'"),
        (["image,Pleural Efusion", "1.png,1"], "line 1: .* it seems to mean 'Pleural Effusion'"),
        (["image,Effusion", "1.png,1"], "line 1: .* it seems to mean 'Pleural Effusion'"),
        (["image,patient_id", "1.png,1"], "line 1: .* it seems to mean 'patient'"),
        (["image,Study ID", "1.png,1"], "line 1: .* it seems to mean 'study'"),
    ],
)
def test_what_is_doubtful_is_refused_with_its_line_and_a_remedy(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(TableError, match=rf"images\.csv, .*{message}") as caught:
        read(write(tmp_path, *lines))
    assert caught.value.advice


def test_a_table_in_another_encoding_is_refused_with_its_line(tmp_path: Path) -> None:
    write(tmp_path, "image,report")
    with (tmp_path / "images.csv").open("ab") as stream:
        stream.write("1.png,ok\n2.png,Ergüsse\n".encode("latin-1"))
    with pytest.raises(TableError, match="line 3: the text is not UTF-8"):
        read(tmp_path)


@pytest.mark.parametrize("columns", ["image,age,sex", "image,scanner model,date"])
def test_other_columns_are_left_alone(tmp_path: Path, columns: str) -> None:
    assert read(write(tmp_path, columns, "1.png,a,b"))[1]["unused column"] == 2


def test_the_table_that_counts_must_be_clear(tmp_path: Path) -> None:
    write(tmp_path, "image", "1.png", table="a.csv")
    write(tmp_path, "id,Edema", "1,1", table="labels.csv")
    assert [study.id for study in read(tmp_path)[0]] == ["1"]
    write(tmp_path, "file", "2.png", table="b.csv")
    with pytest.raises(DatasetError, match=r"a\.csv and b\.csv"):
        read(tmp_path)
    write(tmp_path, "path", "3.png")
    assert [study.id for study in read(tmp_path)[0]] == ["3"]


def test_a_folder_without_a_table_is_not_recognized_and_refused(tmp_path: Path) -> None:
    write(tmp_path, "id,Edema", "1,1", table="labels.csv", images=("1.png",))
    assert not IMAGES.recognizes(tmp_path)
    with pytest.raises(DatasetError, match="no table with a column image, file or path"):
        read(tmp_path)
    write(tmp_path, "id,Edema", "1,1")
    with pytest.raises(TableError, match="no column names the image"):
        read(tmp_path)
