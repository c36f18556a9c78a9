"""Open-i: its XML and its tabular copy give the same studies, and what the table lost is said."""

from __future__ import annotations

import io
import tarfile
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from kdistill_core.conditions import Condition, State
from kdistill_core.datasets.contract import DatasetError, DataSource, Ledger, ReadOptions
from kdistill_core.datasets.openi import SOURCES
from kdistill_core.datasets.openi_reports import parse_report, read_tabular_reports
from kdistill_core.labeling.sections import report_sections
from kdistill_core.records import Study
from kdistill_core.tables import TableError

XML, CSV = SOURCES


def xml(number: int, findings: str = "Clear lungs.", images: tuple[str, ...] = ("IM-0001-1001",)) -> str:
    parents = "".join(f'<parentImage id="CXR{number}_{name}"><caption>PA</caption></parentImage>' for name in images)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<eCitation><meta type="rr"/><uId id="CXR{number}"/><articleDate>2013-08-01</articleDate>'
        "<MedlineCitation><Article><Abstract>\n"
        '<AbstractText Label="COMPARISON"></AbstractText>'
        '<AbstractText Label="INDICATION">Cough XXXX</AbstractText>'
        f'<AbstractText Label="FINDINGS">{findings}</AbstractText>'
        '<AbstractText Label="IMPRESSION">No acute &lt;disease&gt;.</AbstractText>'
        "</Abstract></Article></MedlineCitation>"
        "<MeSH><major>Opacity/lung/base</major><major>Cardiomegaly</major><automatic>Opacity</automatic></MeSH>"
        f"{parents}</eCitation>"
    )


def write_xml(root: Path, reports: dict[str, str], archive: bool = False) -> Path:
    root.mkdir(exist_ok=True)
    if archive:
        with tarfile.open(root / "NLMCXR_reports.tgz", "w:gz") as stream:
            for name in sorted(reports):
                member = tarfile.TarInfo(f"ecgen-radiology/{name}")
                member.size = len(reports[name].encode())
                stream.addfile(member, io.BytesIO(reports[name].encode()))
        return root
    (root / "ecgen-radiology").mkdir()
    for name, text in reports.items():
        (root / "ecgen-radiology" / name).write_text(text, encoding="utf-8")
    return root


def write_csv(root: Path, reports: list[str], projections: list[str]) -> Path:
    root.mkdir(exist_ok=True)
    header = "uid,MeSH,Problems,image,indication,comparison,findings,impression"
    (root / "indiana_reports.csv").write_text("\n".join([header, *reports]) + "\n")
    (root / "indiana_projections.csv").write_text("\n".join(["uid,filename,projection", *projections]) + "\n")
    return root


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (8, 8)).save(path)


def read(source: DataSource, root: Path, options: ReadOptions | None = None) -> tuple[list[Study], dict[str, int]]:
    assert source.recognizes(root)
    ledger = Ledger()
    studies = list(source.open(root, options or ReadOptions()).iterate(ledger))
    return studies, {remark.kind: remark.count for remark in ledger.remarks()}


@pytest.mark.parametrize("archive", [False, True])
def test_a_report_is_read_with_its_sections_and_all_its_images(tmp_path: Path, archive: bool) -> None:
    write_xml(tmp_path, {"12.xml": xml(12, images=("IM-0001-1001", "IM-0001-2001"))}, archive)
    picture(tmp_path / "NLMCXR_png" / "CXR12_IM-0001-1001.png")
    picture(tmp_path / "NLMCXR_png" / "CXR99_IM-0001-1001.png")
    (study,), remarks = read(XML, tmp_path)
    assert study.id == "CXR12"
    assert [image.id for image in study.images] == ["CXR12_IM-0001-1001", "CXR12_IM-0001-2001"]
    assert study.report is not None
    assert study.report.sections == {
        "indication": "Cough XXXX",
        "findings": "Clear lungs.",
        "impression": "No acute <disease>.",
    }
    # The headings that the text is given are such as a reader of sections finds again.
    assert report_sections(study.report.text) == study.report.sections
    assert remarks == {"missing image": 1, "unlisted image": 1, "empty view position": 2}
    assert study.findings == ()
    assert study.date == ""  # the XML's date is that of publication


def test_mesh_terms_of_people_and_of_the_program_are_kept_apart() -> None:
    report = parse_report(xml(3).encode())
    assert report.mesh_major == ("Opacity/lung/base", "Cardiomegaly")
    assert report.mesh_automatic == ("Opacity",)


def test_reports_are_not_read_when_they_are_not_asked_for(tmp_path: Path) -> None:
    write_xml(tmp_path, {"1.xml": xml(1)})
    (study,), _ = read(XML, tmp_path, ReadOptions(reports=False))
    assert study.report is None
    assert len(study.images) == 1


def test_what_is_not_a_report_is_noted_and_the_rest_is_read(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "bbbb">]><eCitation><uId id="CXR7"/>&b;</eCitation>'
    reports = {"1.xml": xml(1), "2.xml": "<eCitation>", "3.xml": "<eCitation/>", "7.xml": bomb, "readme.xml": "?"}
    studies, remarks = read(XML, write_xml(tmp_path, reports))
    assert [study.id for study in studies] == ["CXR1"]
    assert remarks["unreadable report"] == 3


def test_two_reports_of_one_id_are_refused(tmp_path: Path) -> None:
    write_xml(tmp_path, {"1.xml": xml(1), "2.xml": xml(1)})
    with pytest.raises(DatasetError, match="two reports CXR1"):
        read(XML, tmp_path)


def test_an_archive_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    write_xml(tmp_path, {f"{n}.xml": xml(n) for n in range(1, 60)}, archive=True)
    path = tmp_path / "NLMCXR_reports.tgz"
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(DatasetError, match="cut off"):
        read(XML, tmp_path)


def test_the_tabular_copy_says_the_views_and_what_its_spreadsheet_lost(tmp_path: Path) -> None:
    reports = [
        '1,Opacity/lung/base;Cardiomegaly,Opacity,PA,Cough XXXX,,"Clear, dry lungs.",Normal.',
        "2,normal,normal,PA,#NAME?,,,",
        "3,normal,normal,PA,,,,",
    ]
    projections = ["1,1_IM-0001-4001.dcm.png,Frontal", "1,1_IM-0001-3001.dcm.png,Lateral", "9,9_IM-1.dcm.png,Frontal"]
    write_csv(tmp_path, reports, projections)
    picture(tmp_path / "images" / "images_normalized" / "1_IM-0001-4001.dcm.png")
    studies, remarks = read(CSV, tmp_path)
    assert [study.id for study in studies] == ["CXR1", "CXR2", "CXR3"]
    assert [image.view_position for image in studies[0].images] == ["FRONTAL", "LATERAL"]
    assert studies[0].report is not None
    assert studies[0].report.sections["findings"] == "Clear, dry lungs."
    assert remarks == {
        "missing image": 1,
        "cell lost to a spreadsheet": 1,
        "report without images": 2,
        "empty report": 2,
        "image of an unknown report": 1,
    }


def test_a_doubled_uid_is_refused_with_its_line(tmp_path: Path) -> None:
    write_csv(tmp_path, ["1,,,,,,a,", "1,,,,,,b,"], [])
    with pytest.raises(TableError, match="line 3: the uid 1 is there already, in line 2"):
        read(CSV, tmp_path)


def test_the_xml_takes_its_views_from_the_table_where_it_lies_beside(tmp_path: Path) -> None:
    write_xml(tmp_path, {"1.xml": xml(1, images=("1_IM-0001-4001", "IM-0001-3001"))})
    write_csv(tmp_path, [], ["1,1_IM-0001-4001.dcm.png,Frontal", "1,1_IM-0001-3001.dcm.png,Lateral"])
    picture(tmp_path / "NLMCXR_dcm" / "1" / "1_IM-0001-4001.png")
    (study,), remarks = read(XML, tmp_path)
    assert [image.view_position for image in study.images] == ["FRONTAL", "LATERAL"]
    assert remarks == {"missing image": 1}


def test_gold_labels_beside_the_reports_become_findings(tmp_path: Path) -> None:
    write_xml(tmp_path, {"1.xml": xml(1), "2.xml": xml(2)})
    with pytest.raises(DatasetError, match="openi_gold_14"):
        read(XML, tmp_path, ReadOptions(labels="gold"))
    gold = "filename,Atelectasis,Infiltration,Edema,normal\nCXR1,1,0,0,0\n"
    (tmp_path / "openi_gold_14_nih_conditions.csv").write_text(gold)
    studies, remarks = read(XML, tmp_path)
    states = {finding.condition: finding.state for finding in studies[0].findings}
    assert states[Condition.ATELECTASIS] is State.POSITIVE
    assert states[Condition.LUNG_OPACITY] is State.NEGATIVE  # as coded, though atelectasis is an opacity
    assert states[Condition.EDEMA] is State.NEGATIVE
    assert states[Condition.NO_FINDING] is State.BLANK
    assert studies[1].findings == ()
    assert remarks["no labels"] == 1
    assert XML.open(tmp_path, ReadOptions()).conditions == (
        Condition.LUNG_OPACITY,
        Condition.EDEMA,
        Condition.ATELECTASIS,
    )


def test_the_folder_of_reports_is_enough_wherever_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write_xml(tmp_path, {"1.xml": xml(1)}) / "ecgen-radiology")
    (study,), _ = read(XML, Path())
    assert study.id == "CXR1"


def test_another_label_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no label set 'negbio'"):
        XML.open(write_xml(tmp_path, {"1.xml": xml(1)}), ReadOptions(labels="negbio"))


@pytest.mark.real_data
def test_both_real_forms_hold_the_same_reports_but_for_what_the_table_lost(shared_data: Path) -> None:
    folder, ledger = shared_data / "reports", Ledger()
    studies, remarks = read(XML, folder)
    whole = {study.id: study for study in studies}
    table = {
        report.id: report
        for report in read_tabular_reports(folder / "indiana_reports.csv", folder / "indiana_projections.csv", ledger)
    }
    assert (len(whole), len(table)) == (3955, 3851)
    # The table lacks exactly the reports without images, and four of the images.
    assert whole.keys() - table.keys() == {name for name, study in whole.items() if not study.images}
    assert remarks["report without images"] == 104
    assert sum(len(study.images) for study in studies) == 7470
    assert sum(len(report.images) for report in table.values()) == 7466
    sections = {name: study.report.sections for name, study in whole.items() if study.report}
    lost = {
        (name, section)
        for name, report in table.items()
        for section in sections[name].keys() | report.sections.keys()
        if sections[name].get(section, "").split() != report.sections.get(section, "").split()
    }
    assert lost == {("CXR1555", "indication"), ("CXR3477", "indication"), ("CXR3784", "indication")}
    (remark,) = ledger.remarks()
    assert (remark.kind, remark.count) == ("cell lost to a spreadsheet", 3)
    # The views come from the table, which lies beside.
    views = Counter(image.view_position for study in studies for image in study.images)
    assert views["FRONTAL"] + views["LATERAL"] == 7466
    assert remarks["empty view position"] == 4
    assert CSV.recognizes(folder)
