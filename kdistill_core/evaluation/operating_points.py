"""From which probability on a condition is called present, chosen on validation cases and stored with what it gave."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from kdistill_core.condition_table import ConditionTable
from kdistill_core.conditions import Condition
from kdistill_core.evaluation.curves import called_by_threshold
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.label_policy import UncertainPolicy, scored_pair

Values = NDArray[np.float64]
Counts = NDArray[np.int64]

# A target that is met exactly, as 9 of 10 meet 0.9, must not be missed by rounding.
_ROUNDING = 1e-12


class Aim(StrEnum):
    """What a threshold is chosen for."""

    YOUDEN = "largest sensitivity + specificity"  # Youden, Cancer 1950
    BEST_F1 = "best F1"
    SENSITIVITY = "at least the given sensitivity, with the best specificity"
    SPECIFICITY = "at least the given specificity, with the best sensitivity"


@dataclass(frozen=True)
class Rule:
    """How thresholds are chosen. target: in (0, 1], of a given sensitivity or specificity; None for the other aims.

    Raises EvaluationError where aim and target do not fit each other.
    """

    aim: Aim
    target: float | None = None

    def __post_init__(self) -> None:
        if self.aim in (Aim.SENSITIVITY, Aim.SPECIFICITY):
            if self.target is None or not 0 < self.target <= 1:
                raise EvaluationError(f"{self.target} is no {self.aim.name.lower()}.", "Give one in (0, 1], like 0.9.")
        elif self.target is not None:
            raise EvaluationError(f"The aim {self.aim.value!r} has no target.", "Leave the target out.")


YOUDEN, BEST_F1 = Rule(Aim.YOUDEN), Rule(Aim.BEST_F1)
RULE_NAMES = "youden, f1, sensitivity=0.9 or specificity=0.9"


def threshold_rule(text: str) -> Rule:
    """Return the rule that ``text`` names: one of ``RULE_NAMES``, any share in place of 0.9. Raises EvaluationError."""
    name, _, number = text.strip().casefold().partition("=")
    without_target = {"youden": YOUDEN, "f1": BEST_F1}
    with_target = {"sensitivity": Aim.SENSITIVITY, "specificity": Aim.SPECIFICITY}
    if name in without_target and not number:
        return without_target[name]
    try:
        return Rule(with_target[name], float(number))
    except (KeyError, ValueError) as error:
        raise EvaluationError(f"{text!r} is no rule for thresholds.", f"Give {RULE_NAMES}.") from error


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold and what it gave on the cases it was chosen on.

    threshold: cases of this probability or more are called present; None where a class is missing, so that nothing
    could be chosen. n, positive: labeled cases. sensitivity, specificity: on these cases, so better than on others.
    """

    condition: Condition
    rule: Rule
    threshold: float | None
    n: int
    positive: int
    sensitivity: float | None
    specificity: float | None


@dataclass(frozen=True)
class OperatingPoints:
    """The operating points of a model. chosen_on: the data set and its split, in words."""

    chosen_on: str
    points: tuple[OperatingPoint, ...]
    uncertain: UncertainPolicy = UncertainPolicy.IGNORE

    @property
    def thresholds(self) -> dict[Condition, float]:
        """The threshold of every condition for which one could be chosen."""
        return {point.condition: point.threshold for point in self.points if point.threshold is not None}


def choose_operating_points(
    truth: ConditionTable,
    probabilities: ConditionTable,
    rule: Rule,
    chosen_on: str,
    uncertain: UncertainPolicy = UncertainPolicy.IGNORE,
) -> OperatingPoints:
    """Return the operating point of every condition of ``truth``, each chosen for itself.

    truth, probabilities: of validation cases, matched by name. Where thresholds should suit one another, because No
    Finding hangs on all of them, see :func:`kdistill_core.evaluation.thresholds.choose_thresholds`. Raises
    ConditionTableError and EvaluationError.
    """
    labels, given = scored_pair(truth, probabilities, uncertain)
    points = (
        _choose(condition, rule, given.column(condition), labels.column(condition)) for condition in truth.conditions
    )
    return OperatingPoints(chosen_on, tuple(points), uncertain)


def _choose(condition: Condition, rule: Rule, probabilities: Values, labels: Values) -> OperatingPoint:
    known, positive = int((~np.isnan(labels)).sum()), int(np.nansum(labels))
    if not 0 < positive < known:
        return OperatingPoint(condition, rule, None, known, positive, None, None)
    at, hits, alarms = called_by_threshold(probabilities, labels)
    # The first candidate calls nothing.
    candidates = np.concatenate([[np.inf], at])
    hits, alarms = np.append(0, hits), np.append(0, alarms)
    best = int(np.argmax(_merit(rule, hits, alarms, positive, known - positive)))
    sensitivity, specificity = hits[best] / positive, 1 - alarms[best] / (known - positive)
    return OperatingPoint(
        condition, rule, _between(candidates, best), known, positive, float(sensitivity), float(specificity)
    )


def _merit(rule: Rule, hits: Counts, alarms: Counts, positive: int, negative: int) -> Counts | Values:
    """Return what the best threshold has most of; of equals, the highest is taken, so rounding must not part them."""
    if rule.aim is Aim.YOUDEN:
        return hits * negative - alarms * positive
    if rule.aim is Aim.BEST_F1:
        return 2 * hits / (hits + alarms + positive)
    target = (rule.target or 0.0) - _ROUNDING
    if rule.aim is Aim.SENSITIVITY:
        return np.where(hits >= target * positive, negative - alarms, -1)
    return np.where(negative - alarms >= target * negative, hits, -1)


def _between(candidates: Values, best: int) -> float:
    """Return a threshold halfway to the next lower probability, so that no case lies on it."""
    below = candidates[best + 1] if best + 1 < len(candidates) else 0.0
    if np.isinf(candidates[best]):
        return float((below + 1) / 2) if below < 1 else float(np.nextafter(1.0, 2.0))
    middle = float((candidates[best] + below) / 2)
    return middle if middle > below else float(candidates[best])
