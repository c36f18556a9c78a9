"""What the labeler reads, against sentences whose meaning a reader knows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdistill_core.conditions import CONDITIONS, Condition, Source, State, condition_named, state_of_code
from kdistill_core.labeling import label_report, label_sentence, with_implied
from kdistill_core.records import Finding, Severity, Side

C, S = Condition, State


def states(report: str) -> dict[Condition, State]:
    return {finding.condition: finding.state for finding in label_report(report) if finding.state is not S.BLANK}


def findings(report: str) -> dict[Condition, Finding]:
    return {finding.condition: finding for finding in label_report(report)}


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("There is a small left pleural effusion.", {C.PLEURAL_EFFUSION: S.POSITIVE}),
        ("No pleural effusion.", {C.PLEURAL_EFFUSION: S.NEGATIVE}),
        (
            "No evidence of pneumothorax, pleural effusion or focal consolidation.",
            {C.PNEUMOTHORAX: S.NEGATIVE, C.PLEURAL_EFFUSION: S.NEGATIVE, C.CONSOLIDATION: S.NEGATIVE},
        ),
        (
            "No pneumothorax, large effusion, or consolidation.",
            {C.PNEUMOTHORAX: S.NEGATIVE, C.PLEURAL_EFFUSION: S.NEGATIVE, C.CONSOLIDATION: S.NEGATIVE},
        ),
        ("No pneumothorax, small left effusion.", {C.PNEUMOTHORAX: S.NEGATIVE, C.PLEURAL_EFFUSION: S.POSITIVE}),
        ("No pneumothorax but a small effusion.", {C.PNEUMOTHORAX: S.NEGATIVE, C.PLEURAL_EFFUSION: S.POSITIVE}),
        ("No consolidation with small effusion.", {C.CONSOLIDATION: S.NEGATIVE, C.PLEURAL_EFFUSION: S.POSITIVE}),
        ("Neither effusion nor pneumothorax.", {C.PLEURAL_EFFUSION: S.NEGATIVE, C.PNEUMOTHORAX: S.NEGATIVE}),
        ("Pneumonia cannot be excluded.", {C.PNEUMONIA: S.UNCERTAIN}),
        ("Cannot exclude pneumonia.", {C.PNEUMONIA: S.UNCERTAIN}),
        ("Underlying pneumonia is not excluded.", {C.PNEUMONIA: S.UNCERTAIN}),
        ("Possible right lower lobe pneumonia.", {C.PNEUMONIA: S.UNCERTAIN}),
        ("Opacity that may represent atelectasis.", {C.LUNG_OPACITY: S.POSITIVE, C.ATELECTASIS: S.UNCERTAIN}),
        ("Atelectasis versus pneumonia.", {C.ATELECTASIS: S.UNCERTAIN, C.PNEUMONIA: S.UNCERTAIN}),
        ("The pleural effusion has resolved.", {C.PLEURAL_EFFUSION: S.NEGATIVE}),
        ("Resolved left pneumothorax.", {C.PNEUMOTHORAX: S.NEGATIVE}),
        ("Near complete resolution of the effusion.", {C.PLEURAL_EFFUSION: S.POSITIVE}),
        ("The pneumothorax is no longer seen.", {C.PNEUMOTHORAX: S.NEGATIVE}),
        ("Unchanged left effusion.", {C.PLEURAL_EFFUSION: S.POSITIVE}),
        ("No change in the right pneumothorax.", {C.PNEUMOTHORAX: S.POSITIVE}),
        ("No significant interval change in small effusions.", {C.PLEURAL_EFFUSION: S.POSITIVE}),
        (
            "There is consolidation and effusion is no longer seen.",
            {C.CONSOLIDATION: S.POSITIVE, C.PLEURAL_EFFUSION: S.NEGATIVE},
        ),
        ("The heart is enlarged.", {C.CARDIOMEGALY: S.POSITIVE}),
        ("The heart is not enlarged.", {C.CARDIOMEGALY: S.NEGATIVE}),
        ("Heart size is normal.", {C.CARDIOMEGALY: S.NEGATIVE}),
        ("Heart size is within normal limits.", {C.CARDIOMEGALY: S.NEGATIVE}),
        ("The heart size is borderline enlarged.", {C.CARDIOMEGALY: S.UNCERTAIN}),
        ("The mediastinum is widened.", {C.ENLARGED_CARDIOMEDIASTINUM: S.POSITIVE}),
        ("The cardiomediastinal silhouette is unremarkable.", {C.ENLARGED_CARDIOMEDIASTINUM: S.NEGATIVE}),
        ("The lungs are clear.", {C.LUNG_OPACITY: S.NEGATIVE}),
        ("Healing left rib fractures.", {C.FRACTURE: S.POSITIVE}),
        ("Right IJ catheter ends in the SVC.", {C.SUPPORT_DEVICES: S.POSITIVE}),
        ("The chest tube has been removed.", {C.SUPPORT_DEVICES: S.NEGATIVE}),
        ("Biapical pleural thickening.", {C.PLEURAL_OTHER: S.POSITIVE}),
        ("Small pericardial effusion on CT.", {}),
        ("History of pneumonia.", {}),
        ("Subcutaneous edema in the axilla.", {}),
    ],
)
def test_sentences_are_read_as_a_radiologist_reads_them(sentence: str, expected: dict[Condition, State]) -> None:
    read = states(sentence)
    read.pop(C.NO_FINDING, None)
    assert read == expected


@pytest.mark.parametrize(
    "sentence",
    [
        "A sharp costophrenic angle would speak against a pleural effusion.",
        "Look for a pneumothorax at the apex.",
        "A blunted costophrenic angle argues for a pleural effusion.",
        "A pleural effusion is fluid in the pleural space.",
        "Pulmonary edema is an excess of fluid in the lung.",
        "Consolidation can look like that.",
        "The term atelectasis means a loss of volume.",
    ],
)
def test_suppositions_and_definitions_assert_nothing(sentence: str) -> None:
    assert label_sentence(sentence) == ()


def test_a_described_effusion_is_not_mistaken_for_a_definition() -> None:
    assert states("A pleural effusion is present on the left.")[C.PLEURAL_EFFUSION] is S.POSITIVE
    assert states("Pleural effusion is a new finding.")[C.PLEURAL_EFFUSION] is S.POSITIVE


def test_side_and_severity_are_read_from_the_clause() -> None:
    read = findings("Large right pleural effusion; mild left atelectasis. Fractures on both sides.")
    assert (read[C.PLEURAL_EFFUSION].side, read[C.PLEURAL_EFFUSION].severity) == (Side.RIGHT, Severity.LARGE)
    assert (read[C.ATELECTASIS].side, read[C.ATELECTASIS].severity) == (Side.LEFT, Severity.SMALL)
    assert read[C.FRACTURE].side is Side.BILATERAL


def test_evidence_is_the_sentence_that_decided() -> None:
    report = "No effusion was seen before. There is now a left effusion. Clear lungs."
    (span,) = findings(report)[C.PLEURAL_EFFUSION].evidence
    assert report[span.start : span.end] == "There is now a left effusion."


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        ("No acute cardiopulmonary abnormality.", S.POSITIVE),
        ("Right PICC. Lungs are clear.", S.POSITIVE),
        ("Possible pneumonia.", S.BLANK),
        ("Cardiomegaly.", S.BLANK),
        ("", S.BLANK),
    ],
)
def test_no_finding_follows_the_rule_of_chexpert(report: str, expected: State) -> None:
    assert findings(report)[C.NO_FINDING].state is expected


def test_an_indication_is_not_a_finding() -> None:
    assert C.PNEUMONIA not in states("INDICATION: Pneumonia.\n\nFINDINGS: Normal chest.")


def test_findings_come_in_the_order_of_the_conditions() -> None:
    assert tuple(finding.condition for finding in label_report("Effusion.")) == CONDITIONS


def test_parents_of_the_hierarchy_follow_from_a_child() -> None:
    implied = {finding.condition: finding for finding in with_implied(label_report("Pneumonia on the left."))}
    assert implied[C.LUNG_OPACITY].state is S.POSITIVE
    assert implied[C.CONSOLIDATION].state is S.POSITIVE
    assert implied[C.CARDIOMEGALY].state is S.BLANK
    assert implied[C.LUNG_OPACITY].evidence == implied[C.PNEUMONIA].evidence


SENTENCES = (
    "There is a small left pleural effusion.",
    "No pneumothorax or consolidation.",
    "Possible pneumonia in the right lower lobe.",
    "Heart size is normal.",
    "The right PICC ends in the SVC.",
    "Bibasilar atelectasis.",
    "The previously seen edema has resolved.",
    "Cannot exclude a nodule.",
    "A sharp angle would speak against an effusion.",
)
FILLER = ("The patient is rotated.", "Frontal view obtained upright.", "The bones look intact.", "Good inspiration.")

reports = st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=6)


@given(reports, st.randoms(use_true_random=False))
def test_sentence_order_never_changes_a_state(sentences: list[str], random) -> None:
    shuffled = list(sentences)
    random.shuffle(shuffled)
    assert states(" ".join(sentences)) == states(" ".join(shuffled))


@given(reports, st.sampled_from(["upper", "lower", "title"]))
def test_case_never_changes_a_state(sentences: list[str], case: str) -> None:
    report = " ".join(sentences)
    assert states(report) == states(getattr(report, case)())


@given(reports, st.sampled_from(["  ", "\n", "\t", " \n ", "   "]))
def test_blanks_never_change_a_state(sentences: list[str], blank: str) -> None:
    report = " ".join(sentences)
    assert states(report) == states(report.replace(" ", blank))


@given(reports, st.lists(st.sampled_from(FILLER), max_size=4), st.integers(0, 6))
def test_harmless_filler_never_changes_a_state(sentences: list[str], filler: list[str], place: int) -> None:
    filled = [*sentences[:place], *filler, *sentences[place:]]
    assert states(" ".join(sentences)) == states(" ".join(filled))


@given(st.text(max_size=300))
def test_any_text_is_read_without_a_fault(text: str) -> None:
    for finding in label_report(text):
        for span in finding.evidence:
            assert 0 <= span.start < span.end <= len(text)


@pytest.mark.real_data
def test_labels_agree_with_the_coding_of_held_out_reports(shared_data: Path) -> None:
    """Even-numbered Open-i reports; the wording was developed on the odd-numbered ones."""
    reports = pd.read_csv(shared_data / "reports" / "indiana_reports.csv").set_index("uid")
    gold = pd.read_csv(shared_data / "negbio_gold_dev" / "openi_gold_14_nih_conditions.csv")
    gold.index = gold.filename.str.removeprefix("CXR").astype(int)
    counts: Counter[tuple[str, bool, bool]] = Counter()
    for uid, coded in gold[gold.index % 2 == 0].iterrows():
        shown = reports.loc[uid, ["findings", "impression"]].dropna()
        read = findings("\n\n".join(f"{heading.upper()}: {text}" for heading, text in shown.items()))
        for name in ("Atelectasis", "Cardiomegaly", "Effusion", "Pneumothorax", "Consolidation"):
            condition = condition_named(name, Source.NIH)
            assert condition is not None
            counts[name, bool(coded[name]), read[condition].state in (S.POSITIVE, S.UNCERTAIN)] += 1
    for name in {name for name, *_ in counts}:
        right, extra, missed = counts[name, True, True], counts[name, False, True], counts[name, True, False]
        assert 2 * right / (2 * right + extra + missed) > 0.75, name


@pytest.mark.real_data
def test_labels_are_those_of_chexperts_own_labeler_on_its_sample(shared_data: Path) -> None:
    """But for clear lungs, which CheXpert leaves blank and we call free of opacities."""
    reports = pd.read_csv(shared_data / "reports" / "chexpert_labeler_sample.csv")
    assert len(reports) > 3
    for _, row in reports.iterrows():
        for finding in label_report(row["Reports"]):
            theirs = state_of_code(float(row[finding.condition.value]))
            clear_lungs = finding.condition is C.LUNG_OPACITY and (theirs, finding.state) == (S.BLANK, S.NEGATIVE)
            assert finding.state is theirs or clear_lungs, (row["Reports"], finding.condition)
