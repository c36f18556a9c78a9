"""What is trained: an arm on one kind of training data at one seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from training.experiment.settings import BudgetSettings


class Images(StrEnum):
    """The images of one phase of a training."""

    REAL = "real"
    PHANTOMS = "phantoms"
    MIXED = "phantoms and real, mixed"


REAL, PHANTOMS, BOTH = "real", "phantoms", "both"
# What a cell trains on, one phase after another, each through all stages with its share of the steps.
DATA: dict[str, tuple[Images, ...]] = {
    REAL: (Images.REAL,),
    PHANTOMS: (Images.PHANTOMS,),
    BOTH: (Images.PHANTOMS, Images.MIXED),
}


@dataclass(frozen=True)
class Cell:
    """One training. data: a name of :data:`DATA`."""

    data: str
    arm: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.data}, arm {self.arm}, seed {self.seed}"

    def folder(self, out: Path) -> Path:
        """Return where its work lies."""
        return out / self.data / self.arm / f"seed-{self.seed}"


def budgets(budget: BudgetSettings, phases: int) -> tuple[BudgetSettings, ...]:
    """Return the budget of each of ``phases``; their steps add up to those of ``budget``, stage by stage."""
    steps = {name: _shares(getattr(budget, name), phases) for name in ("heads", "decoder", "all")}
    return tuple(
        replace(budget, heads=steps["heads"][at], decoder=steps["decoder"][at], all=steps["all"][at])
        for at in range(phases)
    )


def _shares(steps: int, phases: int) -> list[int]:
    return [steps * (at + 1) // phases - steps * at // phases for at in range(phases)]
