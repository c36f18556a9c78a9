"""What the teacher is told before it writes: one finding of a case and what is known beside it, never a pixel."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import msgspec

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.records import Finding, Report, Severity, Side
from kdistill_core.teacher.knowledge import Knowledge, KnowledgeBase

# A rationale is written of what is there or may be there; what was denied has one only where it is asked for.
SPOKEN_STATES = frozenset({State.POSITIVE, State.UNCERTAIN})


@dataclass(frozen=True)
class RationaleContext:
    """A finding to be explained, as text can tell it.

    present: the other conditions that are positive, in the order of ``CONDITIONS``. sentence: what the report says of
    the finding, empty where there is only a label.
    """

    condition: Condition
    state: State
    side: Side | None = None
    severity: Severity | None = None
    present: tuple[Condition, ...] = ()
    sentence: str = ""

    @property
    def sha256(self) -> str:
        """Hash of the content: equal contexts have equal hashes, whatever case they come from."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()


def contexts_of(
    findings: Sequence[Finding],
    knowledge: KnowledgeBase,
    report: Report | None = None,
    states: Collection[State] = SPOKEN_STATES,
) -> tuple[RationaleContext, ...]:
    """Return one context for each finding in one of ``states``, in the order of ``CONDITIONS``.

    report: where the findings were read from; its sentences that decided a finding go into that finding's context.
    Without it the contexts come from labels alone. Support Devices and No Finding are not named beside others. A side
    or severity that a condition's assertion has no words for is dropped.
    """
    by_condition = {finding.condition: finding for finding in findings if finding.state in states}
    positive = [
        condition
        for condition in CONDITIONS
        if condition in by_condition
        and by_condition[condition].state is State.POSITIVE
        and condition not in (Condition.NO_FINDING, Condition.SUPPORT_DEVICES)
    ]
    return tuple(
        RationaleContext(
            condition=condition,
            state=by_condition[condition].state,
            side=_side(by_condition[condition], knowledge[condition]),
            severity=_severity(by_condition[condition], knowledge[condition]),
            present=tuple(other for other in positive if other is not condition),
            sentence=_sentence(by_condition[condition], report),
        )
        for condition in CONDITIONS
        if condition in by_condition
    )


def _side(finding: Finding, knowledge: Knowledge) -> Side | None:
    return finding.side if finding.side in knowledge.sides(finding.state) else None


def _severity(finding: Finding, knowledge: Knowledge) -> Severity | None:
    return finding.severity if knowledge.severities and finding.state is not State.NEGATIVE else None


def _sentence(finding: Finding, report: Report | None) -> str:
    if report is None:
        return ""
    said = (report.text[span.start : span.end] for span in finding.evidence)
    return " ".join(" ".join(text.split()) for text in said)
