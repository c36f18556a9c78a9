"""VinDr-CXR: votes of several readers, every reader's box, both releases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from kdistill_core.conditions import Condition, State
from kdistill_core.datasets.contract import DataSet, DatasetError, Ledger, ReadOptions
from kdistill_core.datasets.vindr import SOURCES
from kdistill_core.records import Box, Region, Study
from kdistill_core.tables import TableError

(VINDR,) = SOURCES
CLASSES = [
    "Aortic enlargement", "Atelectasis", "Calcification", "Cardiomegaly", "Clavicle fracture", "Consolidation", "Edema",
    "Emphysema", "Enlarged PA", "ILD", "Infiltration", "Lung Opacity", "Lung cavity", "Lung cyst", "Mediastinal shift",
    "Nodule/Mass", "Pleural effusion", "Pleural thickening", "Pneumothorax", "Pulmonary fibrosis", "Rib fracture",
    "Other lesion", "COPD", "Lung tumor", "Pneumonia", "Tuberculosis", "Other diseases", "No finding",
]  # fmt: skip
COMPETITION = "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max"


def marks(image: str, reader: str, *names: str) -> str:
    start = [image, reader] if reader else [image]
    return ",".join([*start, *("1" if name in names else "0" for name in CLASSES)])


def physionet(root: Path, train: Sequence[str], test: Sequence[str] = (), boxes: Sequence[str] = ()) -> Path:
    folder = root / "annotations"
    folder.mkdir(parents=True, exist_ok=True)
    header = ",".join(CLASSES)
    (folder / "image_labels_train.csv").write_text("\n".join([f"image_id,rad_id,{header}", *train]) + "\n")
    # The published test table spells one class otherwise and has no readers.
    renamed = header.replace("Other diseases", "Other disease")
    (folder / "image_labels_test.csv").write_text("\n".join([f"image_id,{renamed}", *test]) + "\n")
    columns = "image_id,rad_id,class_name,x_min,y_min,x_max,y_max"
    (folder / "annotations_train.csv").write_text("\n".join([columns, *boxes]) + "\n")
    return root


def competition(root: Path, *rows: str) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "train.csv").write_text("\n".join([COMPETITION, *rows]) + "\n")
    return root


def opened(root: Path) -> DataSet:
    assert VINDR.recognizes(root)
    return VINDR.open(root, ReadOptions())


def read(root: Path) -> tuple[list[Study], dict[str, int]]:
    ledger = Ledger()
    studies = list(opened(root).iterate(ledger))
    return studies, {remark.kind: remark.count for remark in ledger.remarks()}


def states(study: Study) -> dict[Condition, State]:
    return {finding.condition: finding.state for finding in study.findings}


def image(root: Path, name: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(b"")


def test_most_readers_make_a_finding_positive_and_a_few_make_it_uncertain(tmp_path: Path) -> None:
    rows = [
        marks("a", "R8", "Pleural effusion", "Rib fracture", "Nodule/Mass"),
        marks("b", "R8", "No finding"),
        marks("a", "R9", "Pleural effusion", "Clavicle fracture"),
        marks("a", "R10", "Aortic enlargement"),
    ]
    studies, remarks = read(physionet(tmp_path, rows))
    by_id = {study.id: states(study) for study in studies}
    assert by_id["a"][Condition.PLEURAL_EFFUSION] is State.POSITIVE  # two of three
    assert by_id["a"][Condition.FRACTURE] is State.POSITIVE  # two of three, each another bone
    assert by_id["a"][Condition.LUNG_LESION] is State.UNCERTAIN  # one of three
    assert by_id["a"][Condition.LUNG_OPACITY] is State.UNCERTAIN  # implied by that one's lesion
    assert by_id["a"][Condition.PNEUMONIA] is State.NEGATIVE
    assert by_id["a"][Condition.NO_FINDING] is State.NEGATIVE
    assert by_id["a"][Condition.SUPPORT_DEVICES] is State.BLANK  # never labeled
    assert by_id["b"][Condition.NO_FINDING] is State.POSITIVE
    assert remarks == {"readers disagree": 1, "missing image": 2}
    assert opened(tmp_path).unmapped == (("Aortic enlargement", 1),)


def test_readers_split_in_half_leave_a_finding_uncertain(tmp_path: Path) -> None:
    studies, _ = read(physionet(tmp_path, [marks("a", "R1", "Pneumothorax"), marks("a", "R2", "No finding")]))
    assert states(studies[0])[Condition.PNEUMOTHORAX] is State.UNCERTAIN
    assert states(studies[0])[Condition.NO_FINDING] is State.UNCERTAIN


def test_two_readers_of_different_opacities_agree_that_there_is_one(tmp_path: Path) -> None:
    rows = [marks("a", "R1", "Atelectasis"), marks("a", "R2", "Consolidation"), marks("a", "R3", "No finding")]
    (study,), _ = read(physionet(tmp_path, rows))
    assert states(study)[Condition.ATELECTASIS] is State.UNCERTAIN
    assert states(study)[Condition.LUNG_OPACITY] is State.POSITIVE


def test_every_readers_box_is_kept_with_its_reader(tmp_path: Path) -> None:
    boxes = [
        "a,R8,Cardiomegaly,691,1375,1653,1831",
        "a,R9,Cardiomegaly,700.5,1380.5,1650.5,1830.5",
        "a,R10,ILD,1,2,3,4",
        "a,R10,No finding,,,,",
        "z,R10,ILD,1,2,3,4",
    ]
    root = physionet(tmp_path, [marks("a", "R8", "Cardiomegaly")], boxes=boxes)
    image(root, "train/a.dicom")
    image(root, "train/c.dicom")
    (study,), remarks = read(root)
    assert study.images[0].regions == (
        Region("Cardiomegaly", Condition.CARDIOMEGALY, Box(691, 1375, 962, 456), reader="R8"),
        Region("Cardiomegaly", Condition.CARDIOMEGALY, Box(700.5, 1380.5, 950, 450), reader="R9"),
        Region("ILD", None, Box(1, 2, 2, 2), reader="R10"),
    )
    assert remarks == {"box of an unknown image": 1, "unlisted image": 1}


def test_test_images_are_those_published_and_carry_one_consensus(tmp_path: Path) -> None:
    train = [marks(f"t{n}", "R1", "No finding") for n in range(300)]
    test = [marks("x", "", "Pneumonia", "Lung tumor")]
    studies, _ = read(physionet(tmp_path, train, test))
    splits = Counter(study.split for study in studies)
    assert splits["test"] == 1
    assert 15 <= splits["validation"] <= 50
    assert states(studies[-1])[Condition.PNEUMONIA] is State.POSITIVE
    assert states(studies[-1])[Condition.LUNG_LESION] is State.POSITIVE


def test_the_competition_labels_14_classes_and_nothing_else(tmp_path: Path) -> None:
    rows = [
        "a,Cardiomegaly,3,R8,691,1375,1653,1831",
        "a,Aortic enlargement,0,R8,1,2,3,4",
        "a,Cardiomegaly,3,R9,690,1370,1650,1830",
        "b,No finding,14,R8,,,,",
        "a,No finding,14,R10,,,,",
        "b,No finding,14,R9,,,,",
    ]
    studies, remarks = read(competition(tmp_path, *rows))
    by_id = {study.id: study for study in studies}
    assert states(by_id["a"])[Condition.CARDIOMEGALY] is State.POSITIVE
    assert states(by_id["a"])[Condition.NO_FINDING] is State.UNCERTAIN
    assert states(by_id["b"])[Condition.NO_FINDING] is State.POSITIVE
    for unknown in (Condition.FRACTURE, Condition.EDEMA, Condition.PNEUMONIA):
        assert states(by_id["b"])[unknown] is State.BLANK
        assert unknown not in opened(tmp_path).conditions
    assert [region.reader for region in by_id["a"].images[0].regions] == ["R8", "R8", "R9"]
    assert remarks == {"readers disagree": 1, "missing image": 2}
    assert opened(tmp_path).unmapped == (("Aortic enlargement", 1),)


def test_a_box_on_a_converted_image_is_noted(tmp_path: Path) -> None:
    root = competition(tmp_path, "a,Cardiomegaly,3,R8,691,1375,1653,1831")
    image(root, "train/a.png")
    assert read(root)[1] == {"box on a converted image": 1}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (marks("a", "R1").replace(",0", ",2", 1), "line 2, column 'Aortic enlargement': '2' is neither 1 nor 0"),
        (f"{marks('a', 'R1')}\n{marks('a', 'R1')}", "line 3: the image a is there already for this reader, in line 2"),
        (marks("", "R1"), "line 2: the cell 'image_id' is empty"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused_with_its_line(tmp_path: Path, row: str, message: str) -> None:
    root = physionet(tmp_path, [row])
    with pytest.raises(TableError, match=message):
        read(root)


@pytest.mark.parametrize("corners", ["5,2,5,4", "1,2,3,x", "1,2,,4", "nan,2,3,4"])
def test_corners_that_enclose_nothing_are_refused_with_their_line(tmp_path: Path, corners: str) -> None:
    root = competition(tmp_path, "b,No finding,14,R8,,,,", f"a,ILD,5,R8,{corners}")
    with pytest.raises(TableError, match="line 3: x_min, y_min, x_max and y_max enclose nothing"):
        read(root)


def test_tables_of_other_sets_with_the_same_names_are_left_to_them(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("Path,Sex,Age\n")
    (tmp_path / "image_labels_train.csv").write_text("image_ID,rad_ID,Bronchitis,No finding\n")  # VinDr-PCXR
    assert not VINDR.recognizes(tmp_path)
    with pytest.raises(DatasetError, match="neither"):
        VINDR.open(tmp_path, ReadOptions())
