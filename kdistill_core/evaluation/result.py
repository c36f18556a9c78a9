"""What an evaluation writes: every score with what one must know to read it and to make it again."""

from __future__ import annotations

from dataclasses import dataclass, field

from kdistill_core.conditions import Condition
from kdistill_core.datasets.filters import FilterCount
from kdistill_core.evaluation.comparison import Difference
from kdistill_core.evaluation.scores import Score, Section, Unit
from kdistill_core.records import Provenance

NOTICE = "Research software, not a medical device. Not for diagnosis."


@dataclass(frozen=True)
class StateCounts:
    """How many cases carry each state of a condition."""

    condition: Condition
    positive: int
    negative: int
    uncertain: int
    blank: int


@dataclass(frozen=True)
class Failure:
    """An image of which the model said nothing, and why; files are called by name alone."""

    id: str
    reason: str


@dataclass(frozen=True)
class ScoredCases:
    """The cases behind the scores.

    name, title: of the data set. splits, label_source: where splits and labels come from, in words. split: what was
    scored; empty for the whole data set. studies, images, cases, patients: that were scored; a case is one ``unit``.
    limit: the most cases that were asked for, None for all; surplus: those beyond it. labels: of the data set.
    reported: that ``labeler`` read from ``section`` of the reference reports, of ``referenced`` cases. filters: what
    was left out of the split, in this order. silent: cases that are left after it and of which nothing was said.
    """

    name: str
    title: str
    split: str
    splits: str
    label_source: str
    unit: Unit
    section: Section
    labeler: str
    studies: int
    images: int
    cases: int
    patients: int
    referenced: int
    limit: int | None = None
    labels: tuple[StateCounts, ...] = ()
    reported: tuple[StateCounts, ...] = ()
    filters: tuple[FilterCount, ...] = ()
    surplus: int = 0
    silent: int = 0
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True)
class Thresholds:
    """The probability from which on a condition counts as present. rule, chosen_on: in words."""

    rule: str
    chosen_on: str
    values: dict[Condition, float]


@dataclass(frozen=True)
class Opponent:
    """A second model on the same cases. differences: the first's scores minus its own, paired."""

    provenance: Provenance
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class EvaluationResult:
    """Every score of one model on one data set.

    baselines: what each is, by the name that scores call it by. notes: what a reader of the scores has to know beside
    them. resamples, seed: of the bootstrap and of what is shuffled.
    """

    model: Provenance
    data: ScoredCases
    scores: tuple[Score, ...]
    thresholds: Thresholds | None = None
    baselines: dict[str, str] = field(default_factory=dict)
    opponent: Opponent | None = None
    notes: tuple[str, ...] = ()
    resamples: int = 2000
    seed: int = 0
    notice: str = NOTICE
