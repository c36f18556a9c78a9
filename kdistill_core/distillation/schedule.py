"""A training schedule by the clock: stages share a budget of minutes, whatever the machine's speed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kdistill_core.distillation.errors import DistillationError


@dataclass(frozen=True)
class Stage:
    """A part of the training with its own weights and frozen modules.

    share: of the time budget. weights: of the loss terms. frozen: prefixes of parameter names that do not learn.
    learning_rate: at the stage's start, after warming up; it falls as a cosine to ``final_share`` of it at its end.
    """

    name: str
    share: float
    learning_rate: float
    weights: Mapping[str, float] = field(default_factory=dict)
    frozen: tuple[str, ...] = ()
    final_share: float = 0.05


@dataclass(frozen=True)
class Schedule:
    """Stages one after another over ``minutes``. Raises DistillationError for shares that do not add up to 1."""

    stages: tuple[Stage, ...]
    minutes: float

    def __post_init__(self) -> None:
        if not self.stages or abs(sum(stage.share for stage in self.stages) - 1) > 1e-6 or self.minutes <= 0:
            raise DistillationError(
                "The stages' shares of the time budget must add up to 1, and the budget must be positive.",
                "Check `stages` and `max_minutes` in the configuration.",
            )

    def at(self, elapsed_minutes: float) -> tuple[int, float]:
        """Return the index of the stage at a time, and how far it has come in [0, 1]."""
        start = 0.0
        for index, stage in enumerate(self.stages):
            length = stage.share * self.minutes
            if elapsed_minutes < start + length:
                return index, (elapsed_minutes - start) / length
            start += length
        return len(self.stages) - 1, 1.0

    def learning_rate(self, elapsed_minutes: float) -> float:
        """Return the learning rate at a time; a stage warms up over its first twentieth."""
        index, progress = self.at(elapsed_minutes)
        stage = self.stages[index]
        warm = min(1.0, (progress + 1e-3) / 0.05)
        fall = stage.final_share + (1 - stage.final_share) * 0.5 * (1 + math.cos(math.pi * progress))
        return stage.learning_rate * warm * fall


def frozen_at(stage: Stage, names: Sequence[str]) -> frozenset[str]:
    """Return those parameter names that do not learn in ``stage``."""
    return frozenset(name for name in names if name.startswith(stage.frozen)) if stage.frozen else frozenset()
