"""Which condition implies which, after the label hierarchy of CheXpert (Irvin et al., AAAI 2019, figure 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kdistill_core.conditions import Condition, State
from kdistill_core.records import Finding

IMPLIED: dict[Condition, tuple[Condition, ...]] = {
    Condition.CARDIOMEGALY: (Condition.ENLARGED_CARDIOMEDIASTINUM,),
    Condition.LUNG_LESION: (Condition.LUNG_OPACITY,),
    Condition.EDEMA: (Condition.LUNG_OPACITY,),
    Condition.CONSOLIDATION: (Condition.LUNG_OPACITY,),
    Condition.PNEUMONIA: (Condition.CONSOLIDATION, Condition.LUNG_OPACITY),
    Condition.ATELECTASIS: (Condition.LUNG_OPACITY,),
}


def with_implied(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return ``findings`` with every condition positive that a positive one implies.

    The labels of a report stay as the text has them until this is asked for, as CheXpert's own labeler leaves them.
    """
    implied: dict[Condition, Finding] = {}
    for finding in findings:
        if finding.state is State.POSITIVE:
            implied.update(dict.fromkeys(IMPLIED.get(finding.condition, ()), finding))
    return tuple(
        replace(finding, state=State.POSITIVE, evidence=implied[finding.condition].evidence)
        if finding.condition in implied and finding.state is not State.POSITIVE
        else finding
        for finding in findings
    )
