"""PadChest: lists in cells, studies of several images, Spanish reports, and who labeled."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest
from PIL import Image

from kdistill_core.conditions import Condition, State
from kdistill_core.datasets.contract import DatasetError, Ledger, ReadOptions
from kdistill_core.datasets.padchest import SOURCES
from kdistill_core.records import Study
from kdistill_core.tables import TableError

(PADCHEST,) = SOURCES
NAME = "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv"
PUBLISHED = (
    ",ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,PatientBirth,PatientSex_DICOM,ViewPosition_DICOM,Projection,"
    "MethodProjection,Pediatric,Modality_DICOM,Manufacturer_DICOM,PhotometricInterpretation_DICOM,"
    "PixelRepresentation_DICOM,PixelAspectRatio_DICOM,SpatialResolution_DICOM,BitsStored_DICOM,WindowCenter_DICOM,"
    "WindowWidth_DICOM,Rows_DICOM,Columns_DICOM,XRayTubeCurrent_DICOM,Exposure_DICOM,ExposureInuAs_DICOM,ExposureTime,"
    "RelativeXRayExposure_DICOM,ReportID,Report,MethodLabel,Labels,Localizations,LabelsLocalizationsBySentence,"
    "labelCUIS,LocalizationsCUIS"
)
HEADER = PUBLISHED.split(",")


def row(image: str, study: str = "S1", labels: str = "['normal']", **cells: str) -> dict[str, str]:
    usual = {
        "ImageDir": "0",
        "StudyDate_DICOM": "20140915",
        "PatientID": "P1",
        "PatientBirth": "1930.0",
        "PatientSex_DICOM": "F",
        "Projection": "PA",
        "Report": "sin hallazgo patologic",
        "MethodLabel": "Physician",
    }
    return {**usual, "ImageID": image, "StudyID": study, "Labels": labels, **cells}


def write(root: Path, *rows: dict[str, str], zipped: bool = False, images: tuple[str, ...] = ()) -> Path:
    path = root / (f"{NAME}.gz" if zipped else NAME)
    with (gzip.open if zipped else open)(path, "wt", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, HEADER, restval="")
        writer.writeheader()
        writer.writerows(rows)
    for name in images:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4)).save(root / name)
    return root


def read(root: Path, labels: str = "") -> tuple[list[Study], dict[str, int]]:
    assert PADCHEST.recognizes(root)
    ledger = Ledger()
    studies = list(PADCHEST.open(root, ReadOptions(labels=labels)).iterate(ledger))
    return studies, {remark.kind: remark.count for remark in ledger.remarks()}


def states(study: Study) -> dict[Condition, State]:
    return {finding.condition: finding.state for finding in study.findings}


@pytest.mark.parametrize("zipped", [False, True])
def test_images_of_a_study_come_together_though_their_rows_do_not(tmp_path: Path, zipped: bool) -> None:
    rows = [
        row("a.png", "S1", Projection="PA"),
        row("b.png", "S2", PatientID="P2", Projection="AP_horizontal", ImageDir="54"),
        row("c.png", "S1", Projection="L"),
    ]
    studies, remarks = read(write(tmp_path, *rows, zipped=zipped, images=("0/a.png", "54/b.png", "0/z.png")))
    assert {study.id: [image.view_position for image in study.images] for study in studies} == {
        "S2": ["AP_horizontal"],
        "S1": ["PA", "L"],
    }
    first = studies[1]
    assert (first.patient.id, first.patient.sex, first.patient.age, first.date) == ("P1", "F", "084Y", "20140915")
    assert first.report is not None
    assert (first.report.text, first.report.sections) == ("sin hallazgo patologic", {})
    assert remarks == {"missing image": 1, "unlisted image": 1, "report in Spanish": 2}


def test_labels_are_read_from_lists_with_stray_blanks(tmp_path: Path) -> None:
    labels = "['pleural effusion', ' loculated fissural effusion', 'scoliosis', ' dai', ' laminar atelectasis', '']"
    (study,), _ = read(write(tmp_path, row("a.png", labels=labels)))
    found = states(study)
    positive = {condition for condition, state in found.items() if state is State.POSITIVE}
    assert positive == {
        Condition.PLEURAL_EFFUSION,
        Condition.SUPPORT_DEVICES,
        Condition.ATELECTASIS,
        Condition.LUNG_OPACITY,  # atelectasis is an opacity
    }
    assert found[Condition.PNEUMONIA] is State.NEGATIVE
    assert found[Condition.NO_FINDING] is State.NEGATIVE
    data_set = PADCHEST.open(tmp_path, ReadOptions())
    assert data_set.unmapped == (("scoliosis", 1),)
    assert set(data_set.conditions) == set(Condition)


def test_normal_and_a_finding_without_counterpart(tmp_path: Path) -> None:
    rows = [row("a.png", "S1"), row("b.png", "S2", "['scoliosis']")]
    studies, _ = read(write(tmp_path, *rows))
    assert states(studies[0])[Condition.NO_FINDING] is State.POSITIVE
    assert states(studies[1])[Condition.NO_FINDING] is State.BLANK


@pytest.mark.parametrize("word", ["unchanged", "exclude", "suboptimal study"])
def test_an_open_list_says_nothing_of_what_it_does_not_name(tmp_path: Path, word: str) -> None:
    (study,), remarks = read(write(tmp_path, row("a.png", labels=f"['{word}', 'cardiomegaly']")))
    found = states(study)
    assert found[Condition.CARDIOMEGALY] is State.POSITIVE
    assert found[Condition.PNEUMOTHORAX] is State.BLANK
    assert found[Condition.NO_FINDING] is State.BLANK
    assert remarks["open label list"] == 1
    assert PADCHEST.open(tmp_path, ReadOptions()).unmapped == ()


@pytest.mark.parametrize("cell", ["", "nan", "[]", "['']"])
def test_a_study_without_labels_has_no_findings(tmp_path: Path, cell: str) -> None:
    (study,), remarks = read(write(tmp_path, row("a.png", labels=cell)))
    assert study.findings == ()
    assert remarks["no labels"] == 1


@pytest.mark.parametrize(
    "cell", ["pneumonia", "['pneumonia'", "[1]", "{'a': 1}", "[" * 9000, "['a'" + " " * 20000 + "]"]
)
def test_a_cell_that_is_no_list_of_names_is_refused_with_its_line(tmp_path: Path, cell: str) -> None:
    write(tmp_path, row("a.png"), row("b.png", "S2", cell))
    with pytest.raises(TableError, match="line 3: the cell 'Labels'"):
        read(tmp_path)


def test_views_that_say_nothing_or_warn_are_noted(tmp_path: Path) -> None:
    rows = [
        row("a.png", "S1", Projection="EXCLUDE"),
        row("b.png", "S2", Projection="UNK"),
        row("c.png", "S3", Report=""),
    ]
    studies, remarks = read(write(tmp_path, *rows))
    assert [study.images[0].view_position for study in studies] == ["EXCLUDE", "", "PA"]
    assert studies[2].report is None
    assert remarks["image to exclude"] == remarks["empty view position"] == remarks["missing report"] == 1


def test_images_of_one_study_with_other_labels_are_noted_and_the_first_counts(tmp_path: Path) -> None:
    rows = [row("a.png", "S1", "['mass']"), row("b.png", "S1", "['normal']")]
    (study,), remarks = read(write(tmp_path, *rows))
    assert states(study)[Condition.LUNG_LESION] is State.POSITIVE
    assert remarks["labels disagree"] == 1


def test_only_the_labels_of_physicians_on_demand(tmp_path: Path) -> None:
    rows = [
        row("a.png", "S1"),
        row("b.png", "S2", MethodLabel="RNN_model"),
        row("c.png", "S3", MethodLabel="RNN_model"),
    ]
    studies, remarks = read(write(tmp_path, *rows), labels="physician")
    assert [bool(study.findings) for study in studies] == [True, False, False]
    assert remarks["labels by a model"] == 2
    assert (
        "1 of 3 images by physicians, the others left out"
        in PADCHEST.open(tmp_path, ReadOptions(labels="physician")).label_source
    )
    with pytest.raises(DatasetError, match="no label set 'negbio'"):
        PADCHEST.open(tmp_path, ReadOptions(labels="negbio"))


def test_a_doubled_image_and_a_row_without_study_are_refused_with_their_lines(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"line 3: the image a\.png is there already, in line 2"):
        read(write(tmp_path, row("a.png"), row("a.png", "S2")))
    with pytest.raises(TableError, match="line 3: the cell 'StudyID' is empty"):
        read(write(tmp_path, row("a.png"), row("b.png", "")))
