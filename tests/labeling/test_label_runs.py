"""Streams of reports."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.labeling import label_report
from kdistill_core.labeling.label_files import ReportRow
from kdistill_core.labeling.label_runs import Passage, label_reports, passage_of
from kdistill_core.labeling.labelers import LabelingError, RuleLabeler
from kdistill_core.records import Finding

REPORT = "INDICATION: Edema?\n\nFINDINGS: Small left effusion.\n\nIMPRESSION: No pneumothorax."


@dataclass
class Recorder:
    """Remembers what it was asked and says that every text is about its own length."""

    asked: list[list[str]] = field(default_factory=list)
    name: str = "recorder"
    version: str = "1"

    def label(self, texts: Sequence[str]) -> list[tuple[Finding, ...]]:
        self.asked.append(list(texts))
        return [(Finding(CONDITIONS[len(text)], State.POSITIVE),) for text in texts]


class Dying(Recorder):
    def label(self, texts: Sequence[str]) -> list[tuple[Finding, ...]]:
        os._exit(1)


def rows(texts: Sequence[str]) -> list[ReportRow]:
    return [ReportRow(line, f"r{line}", text) for line, text in enumerate(texts, start=2)]


def test_every_report_gets_its_own_findings_in_order():
    texts = ["x" * (number % 13 + 1) for number in range(1000)]
    labeled = list(label_reports(rows(texts), Recorder()))

    assert [report.id for report in labeled] == [f"r{line}" for line in range(2, 1002)]
    assert [report.text for report in labeled] == texts
    assert [report.findings[0].condition for report in labeled] == [CONDITIONS[len(text)] for text in texts]


def test_a_report_without_text_is_blank_and_no_labeler_is_asked():
    recorder = Recorder()
    labeled = list(label_reports(rows(["", "abc", " \n\t", "ab"]), recorder))

    assert recorder.asked == [["abc", "ab"]]
    blank = tuple(Finding(condition, State.BLANK) for condition in CONDITIONS)
    assert [report.findings == blank for report in labeled] == [True, False, True, False]
    assert labeled[1].findings[0].condition is CONDITIONS[3]
    assert labeled[3].findings[0].condition is CONDITIONS[2]


@pytest.mark.parametrize(
    ("passage", "text"),
    [(Passage.REPORT, REPORT), (Passage.FINDINGS, "Small left effusion."), (Passage.IMPRESSION, "No pneumothorax.")],
)
def test_the_section_asked_for_is_labeled(passage, text):
    ((report),) = label_reports(rows([REPORT]), RuleLabeler(), passage)
    assert report.text == text
    assert report.findings == label_report(text)


def test_a_section_that_is_not_there_is_told_apart_from_an_empty_report():
    assert passage_of("FINDINGS: Small left effusion.", Passage.IMPRESSION) is None
    assert passage_of("", Passage.REPORT) == ""
    ((report),) = label_reports(rows(["FINDINGS: Small left effusion."]), RuleLabeler(), Passage.IMPRESSION)
    assert report.text is None
    assert {finding.state for finding in report.findings} == {State.BLANK}


def test_reports_are_read_as_they_are_needed():
    """A table of any length: the first labels are had after one chunk."""
    endless = (ReportRow(line, str(line), "abc") for line in itertools.count(2))
    labeled = label_reports(endless, Recorder())
    assert next(labeled).id == "2"
    assert next(endless).line < 1000


def test_workers_give_the_same_labels_in_the_same_order():
    texts = [f"Study {number}: {'edema' if number % 3 else 'possible edema'} is seen." for number in range(600)]
    alone = list(label_reports(rows(texts), RuleLabeler()))

    assert list(label_reports(rows(texts), RuleLabeler(), workers=2)) == alone
    assert {report.findings[4].state for report in alone} == {State.POSITIVE, State.UNCERTAIN}
    assert alone[0].findings[4].condition is Condition.EDEMA


def test_a_worker_that_dies_is_told_in_plain_words():
    with pytest.raises(LabelingError, match="A process that labels has died"):
        list(label_reports(rows(["abc"]), Dying(), workers=2))
