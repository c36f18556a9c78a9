"""Sections of reports: hand-written texts in the shapes that MIMIC-CXR, Open-i and CheXpert Plus come in."""

from __future__ import annotations

import tarfile
from pathlib import Path

import defusedxml.ElementTree
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdistill_core.labeling.sections import (
    SectionText,
    generation_target,
    labeling_text,
    report_sections,
    split_sections,
)
from kdistill_core.records import Report

MIMIC = """\
                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)
\x20
 INDICATION:  ___F with cough // pneumonia?
\x20
 TECHNIQUE:  Chest PA and lateral
\x20
 COMPARISON:  Chest x-ray ___ at 9:30
\x20
 FINDINGS:\x20
\x20
 Lungs: clear. There is no effusion. The heart is large, with the following
 consequences: none.
\x20
 IMPRESSION:\x20
\x20
 1. Cardiomegaly.
 2. Otherwise normal.
\x20
 RECOMMENDATION(S):  None.
"""


def test_a_structured_report_falls_into_its_sections() -> None:
    assert report_sections(MIMIC) == {
        "examination": "CHEST (PA AND LAT)",
        "indication": "___F with cough // pneumonia?",
        "technique": "Chest PA and lateral",
        "comparison": "Chest x-ray ___ at 9:30",
        "findings": "Lungs: clear. There is no effusion. The heart is large, with the following\n consequences: none.",
        "impression": "1. Cardiomegaly.\n 2. Otherwise normal.",
        "recommendations": "None.",
    }


# Headings as MIMIC-CXR's section parser counts them, its slips of the pen included.
@pytest.mark.parametrize(
    ("heading", "section"),
    [
        ("IMPRESSION", "impression"),
        ("CONCLUSION", "impression"),
        ("FINDINGS AND IMPRESSION", "impression"),
        ("FINDINGS/IMPRESSION", "impression"),
        ("FINDINGS/ IMPRESSION", "impression"),
        ("IMPRESSON", "impression"),
        ("IMPRRESSION", "impression"),
        ("IMORESSION", "impression"),
        ("IMPRESSOIN", "impression"),
        ("IMPRSSION", "impression"),
        ("IMPRESION", "impression"),
        ("IMPERSSION", "impression"),
        ("MPRESSION", "impression"),
        ("IMPESSION", "impression"),
        ("CONCUSION", "impression"),
        ("COINCLUSION", "impression"),
        ("FINDINGS", "findings"),
        ("FINDING", "findings"),
        ("FINDINS", "findings"),
        ("FINDINDGS", "findings"),
        ("FINDGINGS", "findings"),
        ("FINDNGS", "findings"),
        ("FINDNINGS", "findings"),
        ("FINIDNGS", "findings"),
        ("REFERENCE FINDINGS", "findings"),
        ("CHEST, TWO VIEWS", "findings"),
        ("PORTABLE CHEST, 9:30 A.M.", "findings"),
        ("PA AND LATERAL CHEST RADIOGRAPHS", "findings"),
        ("FRONTAL AND LATERAL VIEWS OF THE CHEST", "findings"),
        ("SINGLE AP VIEW, SEMI-UPRIGHT", "findings"),
        ("COMPARISON", "comparison"),
        ("COMPARISONS", "comparison"),
        ("COMPARISON EXAM", "comparison"),
        ("COMPARISON FILM", "comparison"),
        ("REFERENCE EXAM", "comparison"),
        ("COMPARISION", "comparison"),
        ("COMPARSION", "comparison"),
        ("COMPARRISON", "comparison"),
        ("COMPARISIONS", "comparison"),
        ("INDICATION", "indication"),
        ("REASON FOR EXAMINATION", "indication"),
        ("REASON FOR EXAM", "indication"),
        ("CLINICAL INDICATION", "indication"),
        ("IDICATION", "indication"),
        ("NDICATION", "indication"),
        ("EXAMINATION", "examination"),
        ("EXAM", "examination"),
        ("TYPE OF EXAMINATION", "examination"),
        ("TECHNIQUE", "technique"),
        ("HISTORY", "history"),
        ("CLINICAL HISTORY", "history"),
        ("CLINICAL INFORMATION", "history"),
        ("PATIENT HISTORY", "history"),
        ("PFI", "history"),
        ("NOTIFICATION", "notification"),
        ("RECOMMENDATION(S)", "recommendations"),
        ("RECOMMENDATIONS", "recommendations"),
        ("RECOMMENDATION", "recommendations"),
        ("ADDENDUM", "addendum"),
        ("COMMENT", "comment"),
        ("DATE", "date"),
        ("WET READ", "wet read"),
        ("WETREAD", "wet read"),
        ("PAST CARDIAC HISTORY", "history"),
    ],
)
@pytest.mark.parametrize("ending", ["\n ", "\r\n "])
def test_every_spelling_of_a_heading_is_known(heading: str, section: str, ending: str) -> None:
    assert report_sections(f" {heading}:  Some words.{ending}") == {section: "Some words."}


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        ("findings: Clear lungs. impression: Normal.", {"findings": "Clear lungs.", "impression": "Normal."}),
        ("COMPARISON: None FINDINGS: Clear", {"comparison": "None", "findings": "Clear"}),
        ("Findings : Clear.\r\n\r\nImpression : Normal.\r\n", {"findings": "Clear.", "impression": "Normal."}),
        ("FINDINGS\nClear lungs.\nIMPRESSION\nNormal.", {"findings": "Clear lungs.", "impression": "Normal."}),
        ("Findings and Impression: Clear.", {"impression": "Clear."}),
        ("IMPRESSION:1. Clear.", {"impression": "1. Clear."}),
        ("INDICATION: ___ FINDINGS: Clear.", {"indication": "___", "findings": "Clear."}),
        ("REASON FOR\n EXAMINATION: Cough.", {"indication": "Cough."}),
        ("FINDINGS: First.\nFINDINGS: Second.", {"findings": "Second."}),
        ("FINDINGS: First.\nFINDINGS:\nIMPRESSION: Normal.", {"findings": "First.", "impression": "Normal."}),
        ("CHEST, PA AND LATERAL:\n\nHISTORY: Cough.", {"history": "Cough."}),
        ("Clear lungs.", {"": "Clear lungs."}),
        ("", {}),
        (
            "IMPRESSION: Normal.\n ADDENDUM  A nodule was missed.",
            {"impression": "Normal.", "addendum": "A nodule was missed."},
        ),
        (
            "WET READ: ___ ___ 9:04 PM\n No effusion.\n______________________\n FINAL REPORT\n FINDINGS: Effusion.",
            {"wet read": "___ ___ 9:04 PM\n No effusion.", "findings": "Effusion."},
        ),
    ],
)
def test_headings_are_met_in_every_position(text: str, sections: dict[str, str]) -> None:
    assert report_sections(text) == sections


@pytest.mark.parametrize(
    "text",
    [
        "There are the following findings: an effusion.",
        "Compared with the prior exam: no change.",
        "Heart: normal. Lungs: clear. Pleura: no effusion.",
        "No significant findings.",
        "Film taken at 9:30 in the ward.",
        "EXPRESSION: unclear.",
    ],
)
def test_a_colon_alone_makes_no_heading(text: str) -> None:
    assert report_sections(text) == {"": text}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MIMIC, ("impression", "1. Cardiomegaly.\n 2. Otherwise normal.")),
        ("FINDINGS: Clear.\n\nRECOMMENDATION: CT.", ("findings", "Clear.")),
        (
            "COMPARISON: ___.\n \n There is an effusion.\n\n No edema.",
            ("last paragraph", "There is an effusion.\n\n No edema."),
        ),
        ("COMPARISON: ___. There is an effusion.", ("comparison", "___. There is an effusion.")),
        ("There is an effusion.\n\nNo edema.", ("", "There is an effusion.\n\nNo edema.")),
        ("INDICATION: Cough.", ("", "")),
    ],
)
def test_a_report_is_labeled_from_the_section_that_mimic_takes(text: str, expected: tuple[str, str]) -> None:
    assert labeling_text(Report(text)) == SectionText(*expected)


def test_sections_that_a_data_set_gives_go_before_the_text() -> None:
    report = Report("IMPRESSION: Normal.", {"findings": "Clear lungs."})
    assert labeling_text(report) == generation_target(report) == SectionText("findings", "Clear lungs.")


def test_a_report_without_findings_has_no_target() -> None:
    assert generation_target(Report("IMPRESSION: Normal.")) == SectionText("findings", "")


PIECES = (
    *("FINDINGS:", "impression:", "IMPRESSION\n", "Comparison :", "WET READ:", "FINAL REPORT\n", "PA CHEST:", "Lungs:"),
    *("Clear.", "no effusion", "___", "_" * 30, "\n", "\r\n", "\n \n", " ", "9:30", "finidngs:", "the exam:"),
)


@given(st.one_of(st.lists(st.sampled_from(PIECES), max_size=15).map("".join), st.text(max_size=100)))
def test_no_character_is_lost(text: str) -> None:
    spans = [span for section in split_sections(text) for span in (section.heading, section.body)]
    assert "".join(text[span.start : span.end] for span in spans) == text


@pytest.mark.real_data
def test_sections_of_open_i_are_those_of_its_xml(shared_data: Path) -> None:
    """Each report's labeled texts, written one after the other as a report, come back as they were."""
    with tarfile.open(shared_data / "reports" / "NLMCXR_reports.tgz") as archive:
        names = [f"ecgen-radiology/{number}.xml" for number in range(1, 4000, 8)]
        members = [member for member in archive.getmembers() if member.name in names]
        assert len(members) > 400
        for member in members:
            file = archive.extractfile(member)
            assert file is not None
            texts = defusedxml.ElementTree.parse(file).iter("AbstractText")
            own = {text.attrib["Label"]: " ".join((text.text or "").split()) for text in texts}
            report = "\n\n".join(f"{label}: {text}" for label, text in own.items())
            # A few texts repeat their own heading.
            expected = {label.lower(): text.removeprefix(f"{label}: ") for label, text in own.items() if text}
            assert report_sections(report) == expected, member.name
