"""Reports as radiologists write them, and what each says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.phantom.body import Body
from kdistill_core.phantom.disease import Disease
from kdistill_core.records import Finding, Report


@dataclass(frozen=True)
class ReportStyle:
    """How an author writes: rates in [0, 1].

    omission: of a finding that is there but not mentioned; hedge: of one that is there but worded as uncertain.
    """

    omission: float = 0.12
    hedge: float = 0.15


def write_report(
    findings: Sequence[Finding],
    diseases: Sequence[Disease],
    body: Body,
    rng: np.random.Generator,
    style: ReportStyle | None,
) -> tuple[Report, tuple[Finding, ...]]:
    """Return a report on ``findings`` and what it says of the 14 conditions."""
    said = [f for f in findings if f.state is State.POSITIVE and f.condition is not Condition.NO_FINDING]
    text = " ".join(f"There is {f.condition.value.lower()}." for f in said) or "No acute cardiopulmonary process."
    states = {f.condition: f for f in findings if f.state is State.POSITIVE}
    reported = tuple(states.get(c, Finding(c, State.BLANK)) for c in CONDITIONS)
    return Report(f"FINDINGS: {text}\n", {"findings": text}), reported
