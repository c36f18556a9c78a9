"""What a student's training is told: its shape, its stages, how it runs, and what it is chosen by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kdistill_core.conditions import CONDITIONS
from kdistill_core.distillation.augmentation import Augmentation
from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.losses import UncertainPolicy, positive_weights_of
from kdistill_core.distillation.objective import (
    AlignmentSettings,
    ClassificationSettings,
    DistillationSettings,
    Objective,
)
from kdistill_core.distillation.on_policy import OnPolicySettings
from kdistill_core.distillation.run_settings import RunSettings
from kdistill_core.distillation.schedule import Schedule, Stage
from kdistill_core.distillation.validation import ValidationSettings
from training.student_data import DataSettings

# What a run may be gone on with although it was changed: where things lie, how fast it goes, what is reported, and how
# a step's cases are shared out. All else makes another training.
_FREE = (
    "data.cache",
    "data.workers",
    "training.max_minutes",
    "training.validation",
    "training.reliance_cases",
    "training.run.batch_size",
    "training.run.accumulate",
    "training.run.gradient_checkpointing",
    "training.run.gradient_norm_steps",
    "training.run.save_steps",
    "training.run.log_steps",
    "training.run.keep",
    "training.run.loader_workers",
)


class PositiveWeights(StrEnum):
    """Where the weights of positives in the classification term come from: its settings, or the training labels."""

    GIVEN = "given"
    BALANCED = "balanced"


@dataclass
class ModelSettings:
    """The student's shape; see :class:`kdistill_core.student.configuration.StudentConfig`.

    vocabulary: entries of the tokenizer. text: configuration of the language model, without its vocabulary.
    """

    backbone: dict[str, Any]
    text: dict[str, Any]
    image_size: int = 160
    feature_size: int = 192
    query_heads: int = 2
    visual_grid: int = 3
    dropout: float = 0.1
    vocabulary: int = 2048


@dataclass
class TrainerSettings:
    """How the training runs.

    stages: one after another, by steps. max_minutes: ends the run early, over all interruptions; None for no such
    budget. set_shares: how often a training case comes from each set. balance: share of the draws that are balanced by
    condition. positive_weights: balanced makes the positives of a condition weigh what its negatives weigh, within
    bounds, as all training labels together count them; draws that `balance` balances already are not looked at.
    text_length: longest target in tokens. variants: versions of a rationale that the cases share out.
    uncertain: policy of all conditions. temperature, told_share, distillation, alignment, classification: see
    :class:`kdistill_core.distillation.objective.Objective`. reliance_cases: validation cases of each set on which the
    loss of the text and its reliance on the image are measured. on_policy: the teacher that scores the student's own
    texts; None without one.
    """

    stages: list[Stage]
    run: RunSettings = field(default_factory=RunSettings)
    validation: ValidationSettings = field(default_factory=ValidationSettings)
    max_minutes: float | None = None
    set_shares: dict[str, float] = field(default_factory=lambda: {"phantom": 0.5, "nih": 0.5})
    balance: float = 0.0
    positive_weights: PositiveWeights = PositiveWeights.GIVEN
    text_length: int = 256
    variants: int = 3
    uncertain: UncertainPolicy = UncertainPolicy.IGNORE
    temperature: float = 0.1
    told_share: float = 0.8
    distillation: DistillationSettings = field(default_factory=DistillationSettings)
    alignment: AlignmentSettings = field(default_factory=AlignmentSettings)
    classification: ClassificationSettings = field(default_factory=ClassificationSettings)
    augmentation: Augmentation = field(default_factory=Augmentation)
    reliance_cases: int = 64
    on_policy: OnPolicySettings | None = None

    @property
    def schedule(self) -> Schedule:
        return Schedule(tuple(self.stages), self.max_minutes)

    @property
    def objective(self) -> Objective:
        return Objective(
            (self.uncertain,) * len(CONDITIONS),
            self.temperature,
            self.told_share,
            self.distillation,
            self.alignment,
            self.classification,
        )

    def objective_on(self, labels: NDArray[np.float32]) -> Objective:
        """Return the objective for training cases of ``labels``, float32 [N, 14] as `taught_labels` gives them.

        Raises DistillationError where weights of positives are given and are to be balanced as well.
        """
        if self.positive_weights is PositiveWeights.GIVEN:
            return self.objective
        if self.classification.positive_weights:
            raise DistillationError(
                "The weights of positives are given, and are to follow from the training labels as well.",
                "Set `positive_weights` to GIVEN, or leave `classification.positive_weights` empty.",
            )
        weights = positive_weights_of(torch.from_numpy(labels))
        return replace(self.objective, classification=replace(self.classification, positive_weights=weights))

    def weighs(self, term: str) -> bool:
        """Return whether any stage gives ``term`` a weight."""
        return any(stage.weights.get(term) for stage in self.stages)


def configuration_of(model: ModelSettings, data: DataSettings, training: TrainerSettings) -> dict[str, Any]:
    """Return what makes a run this run, nested by name; what may change while it goes on is left out."""
    whole = {"model": asdict(model), "data": asdict(data), "training": asdict(training)}
    return _without(whole, _FREE)


def _without(settings: Mapping[str, Any], names: tuple[str, ...], prefix: str = "") -> dict[str, Any]:
    kept = {}
    for name, value in settings.items():
        full = f"{prefix}{name}"
        if full not in names:
            kept[name] = _without(value, names, f"{full}.") if isinstance(value, dict) else value
    return kept
