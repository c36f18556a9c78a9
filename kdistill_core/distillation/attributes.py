"""The side and the severity of findings as targets: what a report says beyond whether a finding is there.

A student that has to tell a left effusion from a right one must find the effusion. Only a reading that keeps side and
severity can ask this of it; the labels of a report labeler cannot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.records import Finding, Severity, Side
from kdistill_core.teacher.knowledge import KnowledgeBase

_SIDES = (Side.LEFT, Side.RIGHT)  # a bilateral finding is on both


@dataclass(frozen=True)
class Attribute:
    """A side or a severity that a condition can have. value: never bilateral."""

    condition: Condition
    value: Side | Severity

    @property
    def name(self) -> str:
        """How a student's configuration names it among its concepts."""
        return f"{self.condition}: {self.value}"


def attributes_of(knowledge: KnowledgeBase) -> tuple[Attribute, ...]:
    """Return every side and severity that an assertion can name, in the order of ``CONDITIONS``."""
    found: list[Attribute] = []
    for condition in CONDITIONS:
        known = knowledge[condition]
        named = known.sides(State.POSITIVE)
        values: tuple[Side | Severity, ...] = (*(side for side in _SIDES if side in named), *known.severities)
        found += [Attribute(condition, value) for value in values]
    return tuple(found)


def attribute_labels(
    cases: Sequence[Sequence[Finding]], labels: NDArray[np.floating], attributes: Sequence[Attribute]
) -> NDArray[np.float32]:
    """Return float32 [N, A] of 1 (has it), 0 (has it not) or NaN (not known).

    cases: the 14 findings of each, as read. labels: [N, K] of 1, 0, -1 or NaN, what the classifier learns of them. What
    is absent has no side and no severity; of what is present they are known where they are said.
    """
    places = {condition: place for place, condition in enumerate(CONDITIONS)}
    columns = [places[attribute.condition] for attribute in attributes]
    known = np.where(np.asarray(labels)[:, columns] == 0, 0.0, np.nan).astype(np.float32)
    for row, findings in enumerate(cases):
        said = {finding.condition: finding for finding in findings if finding.state is State.POSITIVE}
        for column, attribute in enumerate(attributes):
            if attribute.condition in said:
                known[row, column] = _label(attribute.value, said[attribute.condition])
    return known


def _label(value: Side | Severity, finding: Finding) -> float:
    if isinstance(value, Severity):
        return float("nan") if finding.severity is None else float(finding.severity is value)
    return float("nan") if finding.side is None else float(finding.side in (value, Side.BILATERAL))
