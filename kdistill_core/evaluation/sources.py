"""Where predictions come from: a student that is run, or a table that somebody made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kdistill_core.conditions import Condition
from kdistill_core.evaluation.cases import CaseSet, Survey
from kdistill_core.evaluation.label_counts import LabelCounts, read_label_counts
from kdistill_core.evaluation.matching import match_table, of_cases
from kdistill_core.evaluation.predictions import Origin, Predictions
from kdistill_core.evaluation.result import Failure
from kdistill_core.evaluation.running import Check, OnProgress, PlacedStudent, RunSettings, run_student
from kdistill_core.records import Provenance


@dataclass(frozen=True, eq=False)
class Answer:
    """What a model said of a set of cases.

    cases: of each case of which it said something, in the set's order. raw: of each image, or as the table has it.
    failures: images of which it said nothing. notes: what has to be said beside the scores.
    """

    cases: Predictions
    raw: Predictions
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()


class PredictionSource(Protocol):
    """A model, however its predictions are had."""

    @property
    def provenance(self) -> Provenance: ...

    @property
    def thresholds(self) -> dict[Condition, float]:
        """Those stored with the model; empty where there are none."""
        ...

    @property
    def label_counts(self) -> dict[str, LabelCounts]:
        """Of its training sets, by the data set's name; empty where they are not known."""
        ...

    def predict(self, case_set: CaseSet, split: str, held: Survey) -> Answer:
        """Return what the model says of the cases. held: what the whole data set holds. Raises EvaluationError."""
        ...


@dataclass(frozen=True, eq=False)
class StudentSource:
    """A student that is run over the images; ``work`` is where its logs are kept, to go on from after a kill."""

    student: PlacedStudent
    folder: Path
    work: Path
    data_set: str
    settings: RunSettings
    on_progress: OnProgress | None = None
    check: Check | None = None

    @property
    def provenance(self) -> Provenance:
        return self.student.provenance

    @property
    def thresholds(self) -> dict[Condition, float]:
        return self.student.thresholds

    @property
    def label_counts(self) -> dict[str, LabelCounts]:
        return read_label_counts(self.folder)

    def predict(self, case_set: CaseSet, split: str, held: Survey) -> Answer:  # noqa: ARG002 - a table needs it
        said, failures = run_student(
            self.student,
            case_set.images,
            Origin(data_set=self.data_set, split=split),
            self.work,
            self.settings,
            on_progress=self.on_progress,
            check=self.check,
        )
        return Answer(of_cases(said, case_set), said, failures)


@dataclass(frozen=True, eq=False)
class TableSource:
    """A table of predictions, read from ``path``. allow_missing: see ``match_table``."""

    table: Predictions
    path: Path
    allow_missing: bool = False

    @property
    def provenance(self) -> Provenance:
        given = self.table.origin.provenance
        # Of another system nothing is known but what its table is called.
        return given if given.model_name else Provenance(model_name=self.path.name)

    @property
    def thresholds(self) -> dict[Condition, float]:
        return self.table.origin.thresholds

    @property
    def label_counts(self) -> dict[str, LabelCounts]:
        return {}

    def predict(self, case_set: CaseSet, split: str, held: Survey) -> Answer:  # noqa: ARG002 - a student needs it
        matched, notes = match_table(self.table, self.path, case_set, held, allow_missing=self.allow_missing)
        return Answer(matched, matched, (), notes)
