"""What an evaluation of teachers writes: every score of each, beside those of the first."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from kdistill_core.evaluation.resampling import Interval
from kdistill_core.evaluation.result import NOTICE
from kdistill_core.evaluation.scores import Score
from kdistill_core.evaluation.teachers.learning_curve import LearningCurve
from kdistill_core.evaluation.teachers.writing_quality import Rejection, SignCoverage, UnsupportedSentence
from kdistill_core.teacher.drafts import WriterIdentity


class ComparedBy(StrEnum):
    """How a score is held against that of the first teacher."""

    RATIO = "divided by the first's"
    DIFFERENCE = "minus the first's"


@dataclass(frozen=True)
class Comparison:
    """A score beside the first teacher's on the same cases. interval: paired, both sides in the same resamples."""

    by: ComparedBy
    value: float
    interval: Interval | None


@dataclass(frozen=True)
class TeacherScore:
    """A score of one teacher. comparison: None of the first teacher, and where one side is not defined."""

    score: Score
    comparison: Comparison | None = None


@dataclass(frozen=True)
class TeacherResult:
    """Everything measured of one teacher.

    model_sha256: of weights and adapter. precision: it was computed in. writer: None where it wrote nothing; the same
    holds for what it wrote.
    """

    name: str
    model_sha256: str
    precision: str
    scores: tuple[TeacherScore, ...]
    writer: WriterIdentity | None = None
    rejections: tuple[Rejection, ...] = ()
    coverage: tuple[SignCoverage, ...] = ()
    unsupported: tuple[UnsupportedSentence, ...] = ()


@dataclass(frozen=True)
class TeacherQuality:
    """Teachers side by side, all measured on the same; the first is what the others are compared with.

    protocol: how each kind of measure was taken, in words. notes: what a reader has to know beside the scores. curves:
    of the trainings that were given. resamples, seed: of the bootstrap and of everything that was drawn.
    """

    teachers: tuple[TeacherResult, ...]
    protocol: dict[str, str]
    notes: tuple[str, ...] = ()
    curves: tuple[LearningCurve, ...] = field(default=())
    resamples: int = 2000
    seed: int = 0
    software_version: str = ""
    created: str = ""
    notice: str = NOTICE
