"""A training schedule by steps: stages one after another, each with what it learns and how fast.

Steps, not minutes, decide what happens, so that a run can be repeated on any machine. Minutes may be a budget on top:
they end a run early, and change nothing before that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kdistill_core.distillation.errors import DistillationError


@dataclass(frozen=True)
class Stage:
    """A part of the training with its own weights and frozen modules.

    steps: of the optimizer. weights: of the loss terms. frozen: prefixes of parameter names that do not learn.
    learning_rate: at its highest; it rises over the share ``warmup`` of the steps and falls as a cosine (Loshchilov and
    Hutter, ICLR 2017) to ``final_share`` of it. on_policy: share of the steps on texts that the student writes itself.
    """

    name: str
    steps: int
    learning_rate: float
    weights: Mapping[str, float] = field(default_factory=dict)
    frozen: tuple[str, ...] = ()
    warmup: float = 0.05
    final_share: float = 0.05
    on_policy: float = 0.0

    def __post_init__(self) -> None:
        shares = {"warmup": self.warmup, "final_share": self.final_share, "on_policy": self.on_policy}
        wrong = [f"{name} {share}" for name, share in shares.items() if not 0 <= share <= 1]
        if self.steps < 1 or not self.learning_rate > 0:
            wrong.append(f"{self.steps} steps at a learning rate of {self.learning_rate}")
        if wrong:
            raise DistillationError(
                f"The stage {self.name!r} cannot be trained: {', '.join(wrong)}.",
                "Give it at least one step, a positive learning rate, and shares from 0 to 1.",
            )


@dataclass(frozen=True)
class Schedule:
    """Stages one after another. max_minutes: ends a run early, over all its interruptions; None for no such budget.

    Raises DistillationError where there is no stage, two have one name, or the budget is not positive.
    """

    stages: tuple[Stage, ...]
    max_minutes: float | None = None

    def __post_init__(self) -> None:
        names = [stage.name for stage in self.stages]
        if not names or len(set(names)) < len(names):
            raise DistillationError(
                "The training has no stages." if not names else f"Two stages share a name: {', '.join(names)}.",
                "Name at least one in `stages`, each by a name of its own.",
            )
        if self.max_minutes is not None and not self.max_minutes > 0:
            raise DistillationError(
                f"The training is to end after {self.max_minutes} minutes.", "Give a positive number, or none at all."
            )

    @property
    def steps(self) -> int:
        return sum(stage.steps for stage in self.stages)

    def at(self, step: int) -> tuple[Stage, int]:
        """Return the stage that trains after ``step`` steps, at the end the last, and how many of its own are done."""
        for stage in self.stages[:-1]:
            if step < stage.steps:
                return stage, step
            step -= stage.steps
        return self.stages[-1], step

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of the step that follows ``step`` steps."""
        stage, done = self.at(step)
        rising = math.ceil(stage.warmup * stage.steps)
        if done < rising:
            return stage.learning_rate * (done + 1) / (rising + 1)
        progress = min(1.0, (done - rising) / max(1, stage.steps - rising))
        fall = stage.final_share + (1 - stage.final_share) * 0.5 * (1 + math.cos(math.pi * progress))
        return stage.learning_rate * fall


def frozen_at(stage: Stage, names: Sequence[str]) -> frozenset[str]:
    """Return those parameter names that do not learn in ``stage``. Raises DistillationError for a prefix of none."""
    for prefix in stage.frozen:
        if not any(name.startswith(prefix) for name in names):
            raise DistillationError(
                f"The stage {stage.name!r} freezes {prefix!r}, and no parameter has such a name.",
                "Give the beginning of parameter names, such as vision or language_model.",
            )
    return frozenset(name for name in names if name.startswith(stage.frozen)) if stage.frozen else frozenset()
