"""From the student's logits to findings: calibrated probability, threshold, state."""

from __future__ import annotations

from torch import Tensor

from kdistill_core.conditions import Condition, State
from kdistill_core.records import Finding
from kdistill_core.student.modeling import StudentModel


def findings(model: StudentModel, condition_logits: Tensor) -> tuple[Finding, ...]:
    """Return the findings of one image, in the order of the model's conditions.

    condition_logits: [K], uncalibrated. A condition is positive where the text is told that it is: from its threshold
    on, and No Finding where nothing but Support Devices is positive.
    """
    probabilities = model.probabilities(condition_logits).tolist()
    present = (model.states(condition_logits.unsqueeze(0))[0] >= 0.5).tolist()
    named = zip(model.config.conditions, probabilities, model.config.thresholds, present, strict=True)
    return tuple(
        Finding(
            Condition(name),
            State.POSITIVE if positive else State.NEGATIVE,
            probability=probability,
            threshold=float(threshold),
        )
        for name, probability, threshold, positive in named
    )
