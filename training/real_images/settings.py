"""Everything that the experiment on real images is settled by; much of it is that of the experiment on phantoms."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kdistill_core.imaging.reading import sha256_of
from kdistill_core.labeling.labelers import RuleLabeler
from training.experiment.arms import arm_named
from training.experiment.errors import ExperimentError
from training.experiment.settings import (
    BudgetSettings,
    CaseSettings,
    Choice,
    ExperimentSettings,
    StudentSettings,
    WeightSettings,
    of_a_run,
    plain,
)
from training.real_images.cells import DATA, Cell


@dataclass(frozen=True)
class RealImageSettings:
    """An experiment on real images.

    images, table: a folder of NIH images and the table that labels them. phantoms: of each seed, the training cases
    alone; the same as those of the experiment on phantoms where sides and first seeds are. validation: most images
    that calibration, thresholds and decoder are chosen on. choice: of all cells alike. beams: whether the most likely
    text is searched for as well, which takes longer than all else that is written. seeds: 0 to seeds - 1.
    """

    images: Path
    table: Path
    student: StudentSettings
    arms: tuple[str, ...] = ("b", "c", "d")
    data: tuple[str, ...] = tuple(DATA)
    seeds: int = 3
    phantoms: CaseSettings = field(default_factory=lambda: CaseSettings(validation=0, test=0))
    validation: int = 800
    budget: BudgetSettings = field(
        default_factory=lambda: BudgetSettings(heads=400, decoder=150, all=200, batch_size=64, validation_steps=100)
    )
    weights: WeightSettings = field(default_factory=WeightSettings)
    choice: Choice = field(default_factory=Choice)
    decoding_samples: int = 5
    beams: bool = False
    variants: int = 3
    resamples: int = 2000

    def __post_init__(self) -> None:
        unknown = [name for name in self.data if name not in DATA]
        if unknown:
            raise ExperimentError(f"There is no training data {unknown[0]!r}.", f"Choose from {', '.join(DATA)}.")
        for name in self.arms:
            if not arm_named(name).has_heads or arm_named(name).sees_truth or "+" in name or arm_named(name).tokens:
                raise ExperimentError(f"The arm {name} is not one of these.", "Choose from b, c, d.")

    @property
    def harness(self) -> ExperimentSettings:
        """What the training of the experiment on phantoms reads of these settings; NIH's labels name no side."""
        return ExperimentSettings(
            self.student,
            arms=self.arms,
            seeds=self.seeds,
            cases=self.phantoms,
            budget=self.budget,
            weights=replace(self.weights, concept=0.0),
            decoding_samples=self.decoding_samples,
            variants=self.variants,
            resamples=self.resamples,
        )

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Every cell, seed by seed, so that an early end leaves whole seeds."""
        return tuple(Cell(data, arm, seed) for seed in range(self.seeds) for data in self.data for arm in self.arms)

    def made_with(self, cell: Cell) -> dict[str, Any]:
        """Return everything that the work of a cell follows from."""
        return of_a_run(
            self.harness,
            data=cell.data,
            arm=cell.arm,
            seed=cell.seed,
            choice=plain(self.choice),
            beams=self.beams,
            real_labels=sha256_of(self.table),
            most_validation=self.validation,
            labeler=f"{RuleLabeler().name} {RuleLabeler().version}",
        )
