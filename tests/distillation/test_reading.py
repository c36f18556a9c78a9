"""What reports say, against sentences whose meaning a reader knows and against the rules the reading is built on."""

from __future__ import annotations

import numpy as np
import pytest

from kdistill_core.conditions import CONDITIONS, FINDING_CONDITIONS, Condition, State
from kdistill_core.distillation.reading import (
    BASELINE_LABELER,
    NAIVE_LABELER,
    STATE_OF,
    ConditionReading,
    Said,
    blank_as_absent,
    read_report,
    reading_codes,
)
from kdistill_core.labeling import label_report
from kdistill_core.phantom.body import draw_body
from kdistill_core.phantom.disease import draw_diseases, truth
from kdistill_core.phantom.report import ReportStyle, write_report

C = Condition
NOISY = ReportStyle(omission=0.4, hedge=0.3, resolved=0.4, overcall=0.4)


def read(text: str) -> dict[Condition, ConditionReading]:
    return {reading.condition: reading for reading in read_report(text)}


def phantom_reports(count: int) -> list[str]:
    texts = []
    for seed in range(count):
        streams = [np.random.default_rng([seed, stream]) for stream in range(3)]
        body = draw_body(streams[0])
        diseases = draw_diseases(streams[1], body.view)
        texts.append(write_report(truth(diseases), diseases, body, streams[2], NOISY)[0].text)
    return texts


@pytest.mark.parametrize(
    ("sentence", "condition", "said"),
    [
        ("There is a small left pleural effusion.", C.PLEURAL_EFFUSION, Said.ASSERTED),
        ("No pleural effusion.", C.PLEURAL_EFFUSION, Said.NEGATED),
        ("The lungs are clear of edema.", C.EDEMA, Said.NEGATED),
        ("The pneumothorax is not seen.", C.PNEUMOTHORAX, Said.NEGATED),
        ("The previously seen pleural effusion has resolved.", C.PLEURAL_EFFUSION, Said.RESOLVED),
        ("The pneumothorax seen on the prior study is no longer visible.", C.PNEUMOTHORAX, Said.RESOLVED),
        ("Interval resolution of pulmonary edema.", C.EDEMA, Said.RESOLVED),
        ("The previously noted atelectasis has cleared.", C.ATELECTASIS, Said.RESOLVED),
        ("The chest tube has been removed.", C.SUPPORT_DEVICES, Said.RESOLVED),
        ("Near complete resolution of the effusion.", C.PLEURAL_EFFUSION, Said.ASSERTED),
        ("Pneumonia cannot be excluded.", C.PNEUMONIA, Said.HEDGED),
        ("History of pneumonia.", C.PNEUMONIA, Said.LEFT_OUT),
        ("The aorta is tortuous.", C.PNEUMONIA, Said.LEFT_OUT),
    ],
)
def test_a_sentence_says_what_its_words_say(sentence, condition, said):
    reading = read(f"FINDINGS: {sentence}")[condition]
    assert reading.said is said
    assert bool(reading.evidence) == (said is not Said.LEFT_OUT)


def test_evidence_is_the_sentence_that_decided():
    text = "FINDINGS: No pneumothorax. There is edema.\n\nIMPRESSION: Mild edema."
    (first, second) = read(text)[C.EDEMA].evidence
    assert (text[first.start : first.end], text[second.start : second.end]) == ("There is edema.", "Mild edema.")


def test_what_one_section_asserts_and_another_denies_is_asserted_and_marked():
    reading = read("FINDINGS: The effusion has resolved.\n\nIMPRESSION: Small effusion.")[C.PLEURAL_EFFUSION]
    assert (reading.said, reading.contradicted) == (Said.ASSERTED, True)
    hedged = read("FINDINGS: No pneumonia.\n\nIMPRESSION: Possible pneumonia.")[C.PNEUMONIA]
    assert (hedged.said, hedged.contradicted) == (Said.HEDGED, True)
    agreed = read("FINDINGS: No effusion. The previous effusion has resolved.")[C.PLEURAL_EFFUSION]
    assert (agreed.said, agreed.contradicted) == (Said.RESOLVED, False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("IMPRESSION: No acute disease.", Said.ASSERTED),
        ("IMPRESSION: Chest tube in place.", Said.ASSERTED),
        ("IMPRESSION: Mild edema.", Said.NEGATED),
        ("IMPRESSION: Possible edema.", Said.HEDGED),
        ("", Said.LEFT_OUT),
    ],
)
def test_no_finding_follows_from_what_else_is_said(text, said):
    assert read(text)[C.NO_FINDING].said is said


def test_states_are_those_of_the_built_in_labeler():
    for text in phantom_reports(60):
        labeled = {finding.condition: finding.state for finding in label_report(text)}
        for condition, reading in read(text).items():
            if condition is not C.NO_FINDING:
                assert STATE_OF[reading.said] is labeled[condition], text
            else:
                assert (reading.said is Said.ASSERTED) == (labeled[condition] is State.POSITIVE)


def test_the_baseline_reads_what_the_reading_reads_and_the_naive_one_finds_what_has_gone():
    texts = phantom_reports(60)
    readings = [read_report(text) for text in texts]
    codes = reading_codes(readings)
    np.testing.assert_array_equal(BASELINE_LABELER.codes(texts), codes)
    resolved = np.array([[reading.said is Said.RESOLVED for reading in of_report] for of_report in readings])
    assert resolved.sum() > 5
    naive = NAIVE_LABELER.codes(texts)
    assert (naive[resolved] == 1).all()
    findings = [CONDITIONS.index(condition) for condition in FINDING_CONDITIONS]
    differs = ~np.isclose(naive, codes, equal_nan=True)[:, findings]
    assert (naive[:, findings][differs] == 1).all()


def test_blanks_count_as_absent_only_where_hardly_anyone_denies():
    codes = np.full((30, 2), np.nan, dtype=np.float32)
    codes[:5] = 1
    codes[5:25, 0], codes[5:24, 1] = 0, 0
    filled = blank_as_absent(codes)
    assert np.isnan(filled[25:, 0]).all()
    assert (filled[24:, 1] == 0).all()
    assert (filled[:5] == 1).all()
