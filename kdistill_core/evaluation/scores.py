"""A score and everything one must know to read it: what was counted, how, on how many, how sure, against what."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from kdistill_core.evaluation.resampling import Interval


class Convention(StrEnum):
    """Which states count as saying that a condition is present; both are in use, so a score names its own."""

    POSITIVE_ONLY = "positive only"
    POSITIVE_AND_UNCERTAIN = "positive and uncertain"


class Unit(StrEnum):
    """What one case is."""

    IMAGE = "image"
    STUDY = "study"


class Section(StrEnum):
    """The part of a reference report that a score was computed on."""

    FINDINGS = "findings"
    IMPRESSION = "impression"
    FINDINGS_AND_IMPRESSION = "findings and impression"
    REPORT = "whole report"
    LABELS = "no report: labels of the data set"


@dataclass(frozen=True)
class Baseline:
    """What could be had without looking at the image, such as each condition's prevalence.

    difference: the score minus the baseline, over the same resamples.
    """

    name: str
    value: float
    interval: Interval | None = None
    difference: Interval | None = None


@dataclass(frozen=True)
class Score:
    """One number.

    metric: such as ``AUC`` or ``F1``. scope: ``micro``, ``macro``, ``micro over 5``, or a condition's name. value: None
    where it is not defined; ``note`` then says why. n: cases; positive: those with the condition, where that makes
    sense. convention, section, unit, labeler: as far as the metric knows them, else None or empty.
    """

    metric: str
    scope: str
    value: float | None
    n: int
    higher_is_better: bool = True
    interval: Interval | None = None
    positive: int | None = None
    convention: Convention | None = None
    section: Section | None = None
    unit: Unit | None = None
    labeler: str = ""
    baselines: tuple[Baseline, ...] = field(default=())
    note: str = ""
