"""From the student's logits to findings: calibrated probability, threshold, state."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from kdistill_core.conditions import Condition, State
from kdistill_core.labeling import IMPLIED
from kdistill_core.records import Finding
from kdistill_core.student.modeling import StudentModel


def findings(model: StudentModel, condition_logits: Tensor) -> tuple[Finding, ...]:
    """Return the findings of one image, in the order of the model's conditions.

    condition_logits: [K], uncalibrated. A condition is positive from its threshold on, or where a positive one
    implies it; No Finding where nothing but Support Devices is positive.
    """
    probabilities = model.probabilities(condition_logits).tolist()
    present = (model.states(condition_logits.unsqueeze(0))[0] >= 0.5).tolist()
    thresholds = model.config.thresholds or ()
    named = zip(model.config.conditions, probabilities, thresholds, present, strict=True)
    return tuple(
        Finding(
            Condition(name),
            State.POSITIVE if positive else State.NEGATIVE,
            probability=probability,
            threshold=float(threshold),
        )
        for name, probability, threshold, positive in named
    )


def most_specific(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return the positive findings that a rationale speaks of.

    Those that another positive one implies go without saying (an opacity beside a consolidation), and so does No
    Finding, which is what a rationale says where nothing else is left.
    """
    positive = {finding.condition for finding in findings if finding.state is State.POSITIVE}
    implied = {parent for condition in positive for parent in IMPLIED.get(condition, ())}
    spoken = positive - implied - {Condition.NO_FINDING}
    return tuple(finding for finding in findings if finding.condition in spoken)
