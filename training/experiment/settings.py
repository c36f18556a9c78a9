"""Everything that an experiment is settled by, equal for all arms but where it says otherwise."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from kdistill_core.distillation.augmentation import Augmentation
from kdistill_core.distillation.losses import UncertainPolicy
from training.experiment.errors import ExperimentError

# Hashes of what a run was made with leave these out: they change how fast it is made, not what is made.
_NOT_OF_A_RUN = ("workers", "cache", "seeds", "resamples")


@dataclass(frozen=True)
class Noise:
    """How much reports leave out. omission: rate, see :class:`kdistill_core.phantom.report.ReportStyle`."""

    name: str
    omission: float


@dataclass(frozen=True)
class CaseSettings:
    """Simulated cases. Every seed of the experiment trains on cases of its own; all are tested on the same.

    first_seed: of the phantoms, far from those of the shipped student. side: pixels they are simulated at.
    """

    train: int = 4000
    validation: int = 400
    test: int = 1000
    first_seed: int = 300_000_000
    side: int = 128
    cache: Path = Path("runs/cache")
    workers: int = 2


@dataclass(frozen=True)
class StudentSettings:
    """The student of every arm; see :class:`kdistill_core.student.configuration.StudentConfig`.

    text: configuration of the language model without its vocabulary, of which ``vocabulary`` is the size.
    """

    backbone: dict[str, Any]
    text: dict[str, Any]
    image_size: int = 96
    feature_size: int = 96
    query_heads: int = 2
    visual_grid: int = 3
    dropout: float = 0.1
    vocabulary: int = 1024
    text_length: int = 192


@dataclass(frozen=True)
class BudgetSettings:
    """How long and how fast every arm trains: heads first, then the decoder, then all.

    heads, decoder, all: steps of the optimizer, each on one batch of images; the last two also on their texts. rates:
    learning rates of the three, multiplied by an arm's tuned factor. An arm without heads trains end to end in all of
    the steps, so that it has as many on images and more on texts.
    """

    heads: int = 900
    decoder: int = 250
    all: int = 350
    heads_rate: float = 1e-3
    decoder_rate: float = 2e-3
    all_rate: float = 5e-4
    batch_size: int = 32
    weight_decay: float = 0.05
    augmentation: Augmentation | None = None
    log_steps: int = 25
    validation_steps: int = 150


@dataclass(frozen=True)
class WeightSettings:
    """Weights of the terms; those of alignment and concepts from trials on seeds that are not reported.

    alignment: 0.3 and 3 gave less. concept: of the sides and severities that the teacher reads; 0, because neither AUC
    nor the decisions gained by them.
    """

    classification: float = 5.0
    generation: float = 1.0
    alignment: float = 1.0
    distillation: float = 1.0
    concept: float = 0.0


@dataclass(frozen=True)
class LabelSettings:
    """What labels count as. told_from: soft label from which on the teacher is told a finding that was left out.

    folds: of the out-of-fold classifiers, each trained like the heads, in as many passes over its cases.
    """

    uncertain: UncertainPolicy = UncertainPolicy.IGNORE
    soft_weight: float = 1.0
    folds: int = 3
    least_auc: float = 0.7
    told_from: float = 0.5


@dataclass(frozen=True)
class Choice:
    """What is tuned of an arm. rate: factor of all learning rates. told_share: how often the text is told its states.

    The told share is that of :class:`kdistill_core.distillation.objective.Objective`.
    """

    rate: float = 1.0
    told_share: float = 0.8

    @property
    def name(self) -> str:
        return f"rate {self.rate:g}, told {self.told_share:g}"


@dataclass(frozen=True)
class TuningSettings:
    """What is tried of each arm, as often of each, on the validation cases, at a seed that is not reported.

    choices: of arms that may be told the states. untold: of the arm that may not; as many. noises: at which levels;
    another level takes the choice of the first. seed: of these runs.
    """

    choices: tuple[Choice, ...] = (Choice(1, 0.8), Choice(1, 0), Choice(2, 0.8), Choice(2, 0))
    untold: tuple[Choice, ...] = (Choice(1, 0), Choice(2, 0), Choice(0.5, 0), Choice(4, 0))
    noises: tuple[str, ...] = ()
    seed: int = 90

    def __post_init__(self) -> None:
        if len(self.choices) != len(self.untold) or not self.choices:
            raise ExperimentError(
                f"{len(self.choices)} and {len(self.untold)} settings are to be tried of the arms.",
                "Give as many of each, so that no arm is tuned with more care than another.",
            )
        if any(choice.told_share for choice in self.untold):
            raise ExperimentError("An untold arm is to be told its states.", "Set `told_share` of `untold` to 0.")


@dataclass(frozen=True)
class ExperimentSettings:
    """An experiment. arms: names of :data:`training.experiment.arms.ARMS`. seeds: 0 to seeds - 1.

    decoding_samples: texts that are drawn for a vote. resamples: of the statistics.
    """

    student: StudentSettings
    noises: tuple[Noise, ...] = (Noise("omission-12", 0.12), Noise("omission-40", 0.40))
    arms: tuple[str, ...] = ("a", "b", "b+", "c", "d", "d+", "e", "f")
    seeds: int = 5
    cases: CaseSettings = field(default_factory=CaseSettings)
    budget: BudgetSettings = field(default_factory=BudgetSettings)
    weights: WeightSettings = field(default_factory=WeightSettings)
    labels: LabelSettings = field(default_factory=LabelSettings)
    tuning: TuningSettings = field(default_factory=TuningSettings)
    decoding_samples: int = 5
    variants: int = 3
    resamples: int = 2000

    def noise(self, name: str) -> Noise:
        """Return the noise level of that name. Raises ExperimentError."""
        for noise in self.noises:
            if noise.name == name:
                return noise
        raise ExperimentError(f"There is no noise level {name!r}.", f"Choose from {', '.join(self.noise_names)}.")

    @property
    def noise_names(self) -> tuple[str, ...]:
        return tuple(noise.name for noise in self.noises)


def plain(settings: Any) -> dict[str, Any]:
    """Return settings as JSON would hold them."""
    return dict(msgspec.to_builtins(settings, enc_hook=str))


def of_a_run(settings: ExperimentSettings, **more: Any) -> dict[str, Any]:
    """Return what a run follows from: the settings, but what only says how many runs and how fast, and ``more``."""
    kept = _without(plain(settings), _NOT_OF_A_RUN)
    for name in ("arms", "noises", "tuning"):
        kept.pop(name)
    return {**kept, **more}


def settings_sha256(made_with: dict[str, Any]) -> str:
    """Return the hash of what a run was made with."""
    return hashlib.sha256(msgspec.json.encode(made_with, order="deterministic")).hexdigest()


def _without(values: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {
        name: _without(value, names) if isinstance(value, dict) else value
        for name, value in values.items()
        if name not in names
    }
