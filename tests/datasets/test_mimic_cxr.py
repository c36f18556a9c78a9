"""A miniature MIMIC-CXR, as DICOM and as JPG, with every trap that the real one and its users have laid."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.datasets.contract import DataSet, DatasetError, Ledger, ReadOptions
from kdistill_core.datasets.mimic_cxr import SOURCES
from kdistill_core.records import Study
from kdistill_core.tables import TableError
from tests.datasets.mimic_tree import FINDINGS_REPORT, IMAGES, LABELS, REPORTS, STATES, Tree, write_table

JPG, DICOM = SOURCES


@pytest.fixture
def tree(tmp_path) -> Tree:
    return Tree(tmp_path / "mimic-cxr-jpg").write()


def read(data: DataSet) -> tuple[dict[str, Study], dict[str, tuple[int, tuple[str, ...]]]]:
    """Return the studies by id and what was noted: kind to count and examples."""
    ledger = Ledger()
    studies = {study.id: study for study in data.iterate(ledger)}
    for remark in ledger.remarks():
        assert remark.text.endswith(".")
    return studies, {remark.kind: (remark.count, remark.examples) for remark in ledger.remarks()}


def read_jpg(root: Path, **options) -> tuple[dict[str, Study], dict[str, tuple[int, tuple[str, ...]]]]:
    return read(JPG.open(root, ReadOptions(**options)))


def states_of(study: Study) -> dict[str, State]:
    return {f.condition.value: f.state for f in study.findings if f.state is not State.BLANK}


@pytest.mark.parametrize("packing", ["", ".gz"])
@pytest.mark.parametrize("version", ["2.0.0", "2.1.0"])
@pytest.mark.parametrize(("source", "suffix"), [(JPG, ".jpg"), (DICOM, ".dcm")])
def test_every_release_reads_alike(tmp_path, version, packing, source, suffix):
    tree = Tree(tmp_path / "mimic", version, packing, suffix).write()
    assert [known.name for known in SOURCES if known.recognizes(tree.root)] == [source.name]
    studies, _ = read(source.open(tree.root, ReadOptions()))
    assert list(studies) == ["50414267", "53189527", "57375967", "50985099"]  # by patient, then study
    assert {study.id: study.split for study in studies.values()} == {
        "50414267": "train", "53189527": "train", "57375967": "test", "50985099": "validation",
    }  # fmt: skip
    assert states_of(studies["50414267"]) == {
        "Pleural Effusion": State.POSITIVE, "Pneumothorax": State.NEGATIVE, "Pneumonia": State.UNCERTAIN,
    }  # fmt: skip
    assert states_of(studies["53189527"]) == {"No Finding": State.POSITIVE, "Support Devices": State.POSITIVE}
    assert all(Path(image.source.path).is_file() for study in studies.values() for image in study.images)


def test_three_views_are_one_study(tree):
    studies, _ = read_jpg(tree.root)
    study = studies["50414267"]
    assert [image.id for image in study.images] == ["dicom-1", "dicom-2", "dicom-3"]
    assert [image.view_position for image in study.images] == ["PA", "LATERAL", ""]
    assert [(image.rows, image.columns) for image in study.images] == [(3056, 2544), (3056, 2544), (2500, 3000)]
    assert study.images[0].source.path == str(tree.image("dicom-1"))
    assert (study.patient.id, study.date) == ("10000032", "21800506")
    assert [finding.condition for finding in study.findings] == list(CONDITIONS)


def test_the_miniature_without_further_traps_has_one_remark(tree):
    assert read_jpg(tree.root)[1] == {"empty view position": (1, ("dicom-3",))}


def test_a_report_is_read_with_its_sections(tree):
    report = read_jpg(tree.root)[0]["50414267"].report
    assert report.text == FINDINGS_REPORT
    assert report.sections["findings"] == "There is a small right effusion. No pneumothorax."
    assert report.sections["impression"] == "Small right pleural effusion."


@pytest.mark.parametrize("place", ["mimic-cxr-reports/files", "../mimic-cxr-reports/files", "mimic-cxr-reports"])
def test_reports_are_found_where_their_archive_was_unpacked(tree, place):
    for study in REPORTS:
        path = tree.report(study)
        moved = tree.root / place / path.relative_to(tree.root / "files")
        moved.parent.mkdir(parents=True, exist_ok=True)
        path.rename(moved)
    studies, remarks = read_jpg(tree.root)
    assert {study.id: study.report.text for study in studies.values()} == REPORTS
    assert "missing report" not in remarks


def test_no_report_is_opened_unless_asked_for(tree):
    for study in REPORTS:
        tree.report(study).unlink()
        tree.report(study).mkdir()  # opening it would fail
    studies, remarks = read_jpg(tree.root, reports=False)
    assert {study.report for study in studies.values()} == {None}
    assert set(remarks) == {"empty view position"}


def test_opening_reads_no_table(tree):
    tree.table("metadata").write_bytes(b"neither text nor gzip")
    data = JPG.open(tree.root, ReadOptions())
    with pytest.raises(TableError):
        next(data.studies())


def test_each_trap_is_noted_by_name(tree):
    tree.image("dicom-2").unlink()
    tree.image("dicom-4").with_name("dicom-9.jpg").touch()
    tree.image("dicom-4").with_name("index.html").touch()
    tree.study("10000032", "59999999").mkdir()
    tree.study("10009999", "58888888").mkdir(parents=True)
    tree.report("53189527").unlink()
    tree.report("57375967").write_bytes(" IMPRESSION: Edema at 37°.\n".encode("latin-1"))
    tree.report("50985099").write_text(" \n")
    tree.write_labels({"50414267": {}, "53189527": STATES["53189527"], "57375967": {}, "51111111": {"Edema": "1"}})
    tree.write_split([*IMAGES[:4], IMAGES[5], ("dicom-8", "1", "2", "AP", 1, 1, "train")])
    studies, remarks = read_jpg(tree.root)
    assert remarks == {
        "empty view position": (1, ("dicom-3",)),
        "no split": (1, ("dicom-4",)),
        "split of an unknown image": (1, ("dicom-8",)),
        "all-blank labels": (2, ("50414267", "57375967")),
        "labels of an unknown study": (1, ("51111111",)),
        "no labels": (1, ("50985099",)),
        "missing image": (1, ("dicom-2",)),
        "unlisted image": (1, ("dicom-9",)),
        "unlisted folder": (2, ("s59999999", "p10009999")),
        "missing report": (1, ("53189527",)),
        "report not UTF-8": (1, ("57375967",)),
        "empty report": (1, ("50985099",)),
    }
    assert len(studies["50414267"].images) == 3  # the one whose file is missing stays
    assert [finding.state for finding in studies["50414267"].findings] == [State.BLANK] * 14
    assert studies["50985099"].findings == ()
    assert studies["53189527"].report is None
    assert studies["53189527"].split == ""


def test_an_unreadable_byte_is_replaced_and_the_rest_of_the_report_kept(tree):
    tree.report("57375967").write_bytes(" IMPRESSION: Edema at 37°.\n".encode("latin-1"))
    studies, remarks = read_jpg(tree.root)
    assert studies["57375967"].report.sections["impression"] == "Edema at 37\N{REPLACEMENT CHARACTER}."
    assert remarks["report not UTF-8"] == (1, ("57375967",))


def test_a_report_that_cannot_be_opened_stops_nothing(tree):
    tree.report("57375967").unlink()
    tree.report("57375967").mkdir()
    studies, remarks = read_jpg(tree.root)
    assert studies["57375967"].report is None
    assert remarks["unreadable report"] == (1, ("57375967",))
    assert len(studies) == 4


def test_a_folder_that_may_not_be_read_is_not_taken_for_an_empty_one(tree, monkeypatch):
    def refuse(folder):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.listdir", refuse)
    with pytest.raises(DatasetError, match="cannot be read: Permission denied"):
        JPG.open(tree.root, ReadOptions())


def test_a_study_in_two_splits_is_held_out(tree):
    tree.write_split([(*row[:6], "test" if row[0] == "dicom-2" else row[6]) for row in IMAGES])
    studies, remarks = read_jpg(tree.root)
    assert studies["50414267"].split == "test"
    assert studies["53189527"].split == "train"
    assert remarks["study in two splits"] == (1, ("50414267",))
    assert remarks["patient in two splits"] == (1, ("10000032",))


def test_labels_are_mapped_by_name_whatever_the_order_of_columns(tree):
    before, _ = read_jpg(tree.root)
    with gzip.open(tree.table("chexpert"), "rt", encoding="utf-8", newline="") as stream:
        rows = [row[::-1] for row in csv.reader(stream)]
    write_table(tree.table("chexpert"), rows[0], rows[1:])
    after, _ = read_jpg(tree.root)
    assert {name: study.findings for name, study in after.items()} == {
        name: study.findings for name, study in before.items()
    }


def test_the_label_set_asked_for_counts(tree):
    tree.write_labels({"50414267": {"Edema": "-1.0"}}, "negbio")
    data = JPG.open(tree.root, ReadOptions(labels="negbio"))
    assert states_of(read(data)[0]["50414267"]) == {"Edema": State.UNCERTAIN}
    assert "NegBio" in data.label_source
    assert "CheXpert" in JPG.open(tree.root, ReadOptions()).label_source


def test_labels_that_are_not_there_or_unknown_are_refused(tree):
    with pytest.raises(DatasetError, match="labels asked for"):
        JPG.open(tree.root, ReadOptions(labels="negbio"))
    with pytest.raises(DatasetError, match="no label set 'gold'"):
        JPG.open(tree.root, ReadOptions(labels="gold"))


def test_tables_that_nobody_asked_for_may_be_missing(tree):
    tree.table("chexpert").unlink()
    tree.table("split").unlink()
    data = JPG.open(tree.root, ReadOptions())
    studies, remarks = read(data)
    assert {study.split for study in studies.values()} == {""}
    assert {study.findings for study in studies.values()} == {()}
    assert set(remarks) == {"empty view position"}
    assert data.conditions == ()
    assert {part.path for part in data.parts if part.found is None} == {
        "mimic-cxr-*-split.csv[.gz]", "mimic-cxr-*-chexpert.csv[.gz]", "mimic-cxr-reports",
    }  # fmt: skip


def test_two_versions_side_by_side_are_refused(tree):
    Tree(tree.root, "2.1.0", "").write_split()
    with pytest.raises(DatasetError, match=r"2\.0\.0-split\.csv and mimic-cxr-2\.1\.0-split\.csv"):
        JPG.open(tree.root, ReadOptions())


def test_a_table_both_plain_and_gzipped_is_one_table(tree):
    Tree(tree.root, packing="").write_split()
    assert read_jpg(tree.root)[0]["57375967"].split == "test"


def test_the_radiologists_labels_of_release_2_1_0_are_a_label_set_and_no_second_version(tree):
    """Release 2.1.0 names its tables 2.0.0 and puts these beside them; they say Airspace Opacity."""
    header = ("study_id", *("Airspace Opacity" if name == "Lung Opacity" else name for name in LABELS[2:]))
    row = ("50414267", *("-1" if name == "Airspace Opacity" else "" for name in header[1:]))
    gold = write_table(tree.root / "mimic-cxr-2.1.0-test-set-labeled.csv", header, [row])
    assert "Lung Opacity" not in states_of(read_jpg(tree.root)[0]["50414267"])
    data = JPG.open(tree.root, ReadOptions(labels="radiologist"))
    studies, remarks = read(data)
    assert states_of(studies["50414267"]) == {"Lung Opacity": State.UNCERTAIN}
    assert remarks["no labels"][0] == 3
    assert len(data.conditions) == 14
    place = header.index("No Finding")
    write_table(gold, (*header[:place], *header[place + 1 :]), [row[:-1]])
    assert set(CONDITIONS) - set(JPG.open(tree.root, ReadOptions(labels="radiologist")).conditions) == {
        Condition.NO_FINDING
    }


def test_dicom_is_read_from_its_own_list_where_the_metadata_is_not_there(tmp_path):
    tree = Tree(tmp_path / "mimic-cxr", suffix=".dcm").write()
    tree.table("metadata").unlink()
    header = ("subject_id", "study_id", "dicom_id", "path")
    write_table(tree.root / "cxr-record-list.csv.gz", header, [(row[1], row[2], row[0], "files/") for row in IMAGES])
    studies, remarks = read(DICOM.open(tree.root, ReadOptions()))
    assert [image.id for image in studies["50414267"].images] == ["dicom-1", "dicom-2", "dicom-3"]
    assert studies["50414267"].images[0].rows is None
    assert remarks["empty view position"][0] == len(IMAGES)


def test_a_folder_without_a_table_of_images_is_refused(tmp_path):
    for source in SOURCES:
        assert not source.recognizes(tmp_path)
        with pytest.raises(DatasetError, match="no table of its images"):
            source.open(tmp_path, ReadOptions())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda tree: tree.write_metadata([*IMAGES, IMAGES[1]]),
            "metadata.csv.gz, line 8: the image dicom-1 ",
        ),
        (lambda tree: tree.write_split([*IMAGES, IMAGES[1]]), "split.csv.gz, line 8: the image dicom-1 "),
        (lambda tree: tree.write_split([(*IMAGES[0][:6], "valid")]), "split.csv.gz, line 2: there is no split 'valid'"),
        (
            lambda tree: tree.write_metadata([(*IMAGES[0][:4], "2544.0", "3056", "")]),
            "metadata.csv.gz, line 2: '2544.0' is no number of rows",
        ),
        (
            lambda tree: tree.write_metadata([IMAGES[1], ("dicom-7", "10000980", *IMAGES[1][2:])]),
            "metadata.csv.gz, line 3: the study 50414267 is given to a second patient",
        ),
        (
            lambda tree: tree.write_metadata([("dicom-7", "10000980.0", *IMAGES[1][2:])]),
            "metadata.csv.gz, line 2: subject_id and study_id must be whole numbers",
        ),
        (
            lambda tree: tree.write_labels({"50414267": {"Edema": "1.0"}, "53189527": {"Edema": "2"}}),
            "chexpert.csv.gz, line 3: '2' is no label of Edema",
        ),
        (
            lambda tree: write_table(tree.table("chexpert"), LABELS[:-1], []),
            "chexpert.csv.gz, line 1: there is no column 'Support Devices'",
        ),
        (
            lambda tree: write_table(tree.table("chexpert"), LABELS, [("1", "50414267", *([""] * 14))] * 2),
            "chexpert.csv.gz, line 3: the study 50414267 is listed",
        ),
    ],
)
def test_bad_tables_are_refused_with_file_and_line(tree, change, message):
    change(tree)
    with pytest.raises((DatasetError, TableError)) as error:
        read_jpg(tree.root)
    assert message in error.value.problem
    assert error.value.advice


def test_a_split_can_be_asked_for(tree):
    data = JPG.open(tree.root, ReadOptions())
    assert [study.id for study in data.studies("validation")] == ["50985099"]


def test_the_conditions_are_those_of_the_table(tree):
    assert JPG.open(tree.root, ReadOptions()).conditions == tuple(Condition)
