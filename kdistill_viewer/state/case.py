"""The open case: a radiograph and what has been said of it so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from kdistill_core.conditions import Condition, State
from kdistill_core.records import (
    Explanation,
    Finding,
    ImageSource,
    Radiograph,
    SaliencyTarget,
    TargetKind,
)


class Phase(StrEnum):
    """How far the reading of a case has come."""

    OPENING = "opening"
    UNREADABLE = "unreadable"
    READY = "ready"  # the image is shown, nothing has been asked of the model
    EXPLAINING = "explaining"
    EXPLAINED = "explained"
    DECLINED = "declined"
    CANCELED = "canceled"
    FAILED = "failed"


@dataclass(eq=False)
class Case:
    """What is known of one image.

    text: the student's rationale as far as it has been written.
    explanation_id: the request that the explanation answered; overlays are asked for by it.
    revealed: False while the reader still gives their own first reading.
    """

    source: ImageSource
    phase: Phase = Phase.OPENING
    radiograph: Radiograph | None = None
    findings: tuple[Finding, ...] = ()
    text: str = ""
    explanation: Explanation | None = None
    explanation_id: str | None = None
    request_id: str | None = None  # of the explanation under way
    problem: str = ""
    advice: str = ""
    revealed: bool = True
    pinned: SaliencyTarget | None = None
    methods: dict[TargetKind, str] = field(default_factory=dict)  # the reader's choice, by kind of target


_PRESENCE = {State.POSITIVE: 2, State.UNCERTAIN: 1}


def top_target(findings: tuple[Finding, ...]) -> SaliencyTarget | None:
    """Return the condition whose overlay is shown first: the likeliest present one, else the likeliest uncertain one.

    A picture without either gets the overlay of No Finding if that is what the student says, else none.
    """
    shown = [finding for finding in findings if finding.state in _PRESENCE]
    if not shown:
        return None

    def rank(finding: Finding) -> tuple[bool, int, float]:
        probability = 0.0 if finding.probability is None else finding.probability
        return (finding.condition is not Condition.NO_FINDING, _PRESENCE[finding.state], probability)

    return condition_target(max(shown, key=rank).condition)


def target_title(target: SaliencyTarget, text: str) -> str:
    """Return how a target is called in the window: its condition's name, or the words of the rationale it covers."""
    if target.condition is not None and target.kind is TargetKind.CONDITION:
        return target.condition.value
    if target.span is None:
        return target.kind.value
    words = " ".join(text[target.span.start : target.span.end].split())
    return f"\N{LEFT DOUBLE QUOTATION MARK}{words}\N{RIGHT DOUBLE QUOTATION MARK}"


def condition_target(condition: Condition) -> SaliencyTarget:
    """Return the target that a click on a finding asks for."""
    return SaliencyTarget(TargetKind.CONDITION, condition=condition)
