"""Reports say what ``reported`` holds, and are as imperfect as their style asks."""

import re

import numpy as np
import pytest

from kdistill_core.conditions import FINDING_CONDITIONS, Condition, State
from kdistill_core.phantom import PhantomError, ReportStyle
from kdistill_core.phantom.body import draw_body
from kdistill_core.phantom.disease import draw_diseases, truth
from kdistill_core.phantom.report import write_report
from kdistill_core.records import Severity

PLAIN = ReportStyle(
    omission=0, hedge=0, negatives=0, resolved=0, overcall=0, irrelevant=0, impression_only=0, shuffled=0
)
# The words by which a reader recognizes each condition, written down apart from the phantom's own bank.
WORDS = {
    Condition.ENLARGED_CARDIOMEDIASTINUM: r"mediastin",
    Condition.CARDIOMEGALY: r"cardiomegaly|heart|cardiac",
    Condition.LUNG_OPACITY: r"opacit|lungs are clear",
    Condition.LUNG_LESION: r"nodule|mass",
    Condition.EDEMA: r"edema",
    Condition.CONSOLIDATION: r"consolidation",
    Condition.PNEUMONIA: r"pneumonia",
    Condition.ATELECTASIS: r"atelectasis",
    Condition.PNEUMOTHORAX: r"pneumothora",
    Condition.PLEURAL_EFFUSION: r"effusion",
    Condition.PLEURAL_OTHER: r"pleural (thickening|plaque)",
    Condition.FRACTURE: r"fracture",
    Condition.SUPPORT_DEVICES: r"tube|catheter|pacemaker|wire|monitoring",
}


def written(seed: int, style: ReportStyle | None = None):
    body = draw_body(np.random.default_rng([seed, 0]))
    diseases = draw_diseases(np.random.default_rng([seed, 4]), body.view)
    findings = truth(diseases)
    report, reported = write_report(findings, diseases, body, np.random.default_rng([seed, 6]), style)
    return findings, diseases, report, reported


def states(findings) -> dict[Condition, State]:
    return {finding.condition: finding.state for finding in findings}


def test_evidence_names_the_condition_it_stands_for():
    for seed in range(300):
        _, _, report, reported = written(seed)
        for finding in reported:
            if finding.state is State.BLANK or finding.condition is Condition.NO_FINDING:
                continue
            assert finding.evidence
            for span in finding.evidence:
                sentence = report.text[span.start : span.end]
                assert re.search(WORDS[finding.condition], sentence, re.IGNORECASE)


def test_negatives_deny_and_positives_do_not():
    denial = re.compile(r"\b(no|not|normal|unremarkable|clear|resolved|resolution|cleared|within)\b", re.IGNORECASE)
    for seed in range(300):
        _, _, report, reported = written(seed)
        for finding in reported:
            for span in finding.evidence:
                sentence = report.text[span.start : span.end]
                if finding.state in {State.POSITIVE, State.NEGATIVE}:
                    assert bool(denial.search(sentence)) == (finding.state is State.NEGATIVE), sentence


def test_an_author_who_omits_and_hedges_nothing_reports_all_that_was_simulated():
    for seed in range(200):
        _, diseases, _, reported = written(seed, PLAIN)
        said = states(reported)
        assert all(said[disease.condition] is State.POSITIVE for disease in diseases)
        assert State.UNCERTAIN not in said.values()
        assert State.NEGATIVE not in said.values()


def test_small_findings_are_left_out_more_often_than_large_ones():
    style = ReportStyle(omission=0.5, hedge=0, negatives=0, resolved=0, overcall=0)
    left_out = {True: [], False: []}
    for seed in range(400):
        findings, diseases, _, reported = written(seed, style)
        said = states(reported)
        for finding in findings:
            if any(d.condition is finding.condition for d in diseases):
                left_out[finding.severity is Severity.SMALL].append(said[finding.condition] is State.BLANK)
    assert np.mean(left_out[True]) == pytest.approx(0.75, abs=0.08)
    assert np.mean(left_out[False]) == pytest.approx(0.40, abs=0.08)


def test_hedged_findings_are_uncertain():
    style = ReportStyle(omission=0, hedge=1, negatives=0, resolved=0, overcall=0)
    uncertain = positive = 0
    for seed in range(200):
        _, diseases, _, reported = written(seed, style)
        said = states(reported)
        for condition in {d.condition for d in diseases} - {Condition.SUPPORT_DEVICES}:
            uncertain += said[condition] is State.UNCERTAIN
            positive += said[condition] is State.POSITIVE
    assert uncertain > 3 * positive


def test_reports_err_as_often_as_reports_do():
    agree = missed = wrong = total = 0
    for seed in range(800):
        findings, _, _, reported = written(seed)
        said = states(reported)
        for finding in findings:
            if finding.condition in {
                Condition.NO_FINDING,
                Condition.LUNG_OPACITY,
                Condition.ENLARGED_CARDIOMEDIASTINUM,
            }:
                continue
            if finding.state is State.POSITIVE:
                total += 1
                agree += said[finding.condition] in {State.POSITIVE, State.UNCERTAIN}
                missed += said[finding.condition] in {State.BLANK, State.NEGATIVE}
            else:
                wrong += said[finding.condition] is State.POSITIVE
    assert 0.75 < agree / total < 0.92
    assert missed > 0
    assert wrong == 0


def test_no_finding_is_reported_exactly_when_nothing_but_devices_is():
    for seed in range(300):
        _, _, _, reported = written(seed)
        said = states(reported)
        abnormal = any(
            said[c] in {State.POSITIVE, State.UNCERTAIN}
            for c in FINDING_CONDITIONS
            if c is not Condition.SUPPORT_DEVICES
        )
        assert (said[Condition.NO_FINDING] is State.POSITIVE) == (not abnormal)


def test_reports_have_the_sections_of_reports_and_vary():
    texts, headings = set(), set()
    for seed in range(200):
        _, _, report, _ = written(seed)
        texts.add(report.text)
        headings |= set(report.sections)
        assert {"findings", "impression"} & set(report.sections)
        for heading, content in report.sections.items():
            assert f"{heading.upper()}: {content}" in report.text
    assert len(texts) > 190
    assert headings == {"indication", "comparison", "findings", "impression"}


def test_sides_and_sizes_are_written_as_they_are():
    for seed in range(200):
        findings, _, report, reported = written(seed, PLAIN)
        true = {f.condition: f for f in findings}
        for finding in reported:
            if finding.condition is Condition.PLEURAL_EFFUSION and finding.state is State.POSITIVE:
                sentence = " ".join(report.text[s.start : s.end] for s in finding.evidence).lower()
                assert true[finding.condition].side.value in sentence
                assert finding.side is true[finding.condition].side
                assert true[finding.condition].severity.value in sentence


def test_the_rule_labeler_reads_most_of_what_reports_say():
    from kdistill_core.labeling import label_report

    right = total = 0
    for seed in range(150):
        _, _, report, reported = written(seed)
        read = states(label_report(report.text))
        for finding in reported:
            if finding.state is State.BLANK or finding.condition is Condition.NO_FINDING:
                continue
            total += 1
            right += read[finding.condition] is finding.state
    assert right / total > 0.9


def test_a_rate_outside_zero_to_one_is_refused():
    with pytest.raises(PhantomError, match="omission"):
        ReportStyle(omission=1.5)
