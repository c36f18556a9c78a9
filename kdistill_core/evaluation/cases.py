"""What is scored: the cases of a split, each an image or a study, with their labels and reference texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from kdistill_core.condition_table import ConditionTable, table_of_findings
from kdistill_core.conditions import CONDITIONS
from kdistill_core.datasets.contract import DataSet
from kdistill_core.datasets.filters import FilterCount, Filtering, missing_image, no_image, not_frontal
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.label_counts import LabelCounts, count_labels
from kdistill_core.evaluation.result import StateCounts
from kdistill_core.evaluation.scores import Section, Unit
from kdistill_core.labeling.sections import FINDINGS, IMPRESSION, report_sections
from kdistill_core.records import Finding, Report, Study, StudyImage

ALL = "all"
TRAIN, VALIDATION = "train", "validation"
_SECTION_NAMES = {
    Section.FINDINGS: (FINDINGS,),
    Section.IMPRESSION: (IMPRESSION,),
    Section.FINDINGS_AND_IMPRESSION: (FINDINGS, IMPRESSION),
}


@dataclass(frozen=True)
class Case:
    """One image, or one study with its frontal images.

    patient: the study's own id where the data set names none. reference: the text of the section that is scored; empty
    where the report has none.
    """

    id: str
    study: str
    patient: str
    images: tuple[StudyImage, ...]
    findings: tuple[Finding, ...] = ()
    reference: str = ""


@dataclass(frozen=True)
class CaseSet:
    """The cases of a split. filters: what was left out of it; surplus: cases beyond the limit that was asked for."""

    unit: Unit
    cases: tuple[Case, ...]
    filters: tuple[FilterCount, ...] = ()
    surplus: int = 0

    @property
    def images(self) -> tuple[StudyImage, ...]:
        """Every image of the cases, in their order."""
        return tuple(image for case in self.cases for image in case.images)

    @property
    def labels(self) -> ConditionTable:
        """The data set's labels of the cases."""
        ids, groups = [case.id for case in self.cases], [case.patient for case in self.cases]
        return table_of_findings(ids, [case.findings for case in self.cases], groups)

    def only(self, ids: Iterable[str]) -> CaseSet:
        """Return the set with only those of its cases that ``ids`` name; what is left out is counted by the caller."""
        wanted = frozenset(ids)
        return replace(self, cases=tuple(case for case in self.cases if case.id in wanted))


@dataclass(frozen=True)
class Survey:
    """What a data set holds. splits: studies by split; trained: label counts of its training split, if it has one.

    image_ids, study_ids: of all its splits.
    """

    splits: dict[str, int]
    trained: LabelCounts | None
    image_ids: frozenset[str] = field(repr=False)
    study_ids: frozenset[str] = field(repr=False)


def survey(data_set: DataSet) -> Survey:
    """Read every study once and count. Patients' reports are not looked at."""
    splits: Counter[str] = Counter()
    image_ids: set[str] = set()
    study_ids: set[str] = set()

    def training() -> Iterator[tuple[Finding, ...]]:
        for study in data_set.studies():
            splits[study.split] += 1
            study_ids.add(study.id)
            image_ids.update(image.id for image in study.images)
            if study.split == TRAIN and study.findings:
                yield study.findings

    counted = count_labels(training())
    trained = counted if any(count.known for count in counted.values()) else None
    return Survey(dict(splits), trained, frozenset(image_ids), frozenset(study_ids))


def require_split(survey: Survey, split: str, title: str) -> None:
    """Raise EvaluationError where the data set has no study in ``split``."""
    if split == ALL or survey.splits.get(split):
        return
    named = {name: count for name, count in survey.splits.items() if name}
    has = ", ".join(f"{name} ({count} studies)" for name, count in sorted(named.items())) or "no splits"
    raise EvaluationError(
        f"{title} has no split {split!r}: it has {has}.",
        f"Choose one of them with --split, or --split {ALL} for all {sum(survey.splits.values())} studies.",
    )


def cases_of(data_set: DataSet, split: str, unit: Unit, section: Section, limit: int | None = None) -> CaseSet:
    """Return the cases of ``split`` (or of ``ALL``), in the data set's order, and the count of what is left out.

    Views that are not frontal, images whose file is missing and studies without an image are left out; a view that
    nobody named is kept. limit: the most cases. Raises EvaluationError where no case is left.
    """
    filtering = Filtering([no_image(), not_frontal(), missing_image()])
    cases: list[Case] = []
    surplus = 0
    splits: dict[str, None] = {}
    for study in data_set.studies("" if split == ALL else split):
        splits[study.split] = None
        left = filtering(study)
        if left is not None:
            new = _of_study(left, unit, section)
            room = len(new) if limit is None else max(0, limit - len(cases))
            cases += new[:room]
            surplus += len(new[room:])
    if not cases:
        raise EvaluationError(
            f"{data_set.title} holds no case that can be scored in the split {split!r}.",
            "Check the folder with `kdistill data check`.",
        )
    return CaseSet(unit, tuple(cases), filtering.counts(tuple(splits)), surplus)


def count_states(table: ConditionTable) -> tuple[StateCounts, ...]:
    """Return how many cases carry each state of each condition, in the order of ``CONDITIONS``."""
    counted = []
    for condition in CONDITIONS:
        if condition in table.conditions:
            column = table.column(condition)
            positive, negative, uncertain = (int((column == code).sum()) for code in (1, 0, -1))
            blank = len(column) - positive - negative - uncertain
            counted.append(StateCounts(condition, positive, negative, uncertain, blank))
    return tuple(counted)


def is_labeled(table: ConditionTable) -> bool:
    """Tell whether any case carries a label of any condition."""
    return bool((table.values == table.values).any())


def reference_text(report: Report | None, section: Section) -> str:
    """Return the text of ``section``; empty where there is no report or it has no such section.

    Of findings and impression together, either alone will do.
    """
    if report is None or section is Section.LABELS:
        return ""
    if section is Section.REPORT:
        return report.text.strip()
    sections = report.sections or report_sections(report.text)
    return "\n".join(filter(None, (sections.get(name, "").strip() for name in _SECTION_NAMES[section])))


def _of_study(study: Study, unit: Unit, section: Section) -> list[Case]:
    patient, text = study.patient.id or study.id, reference_text(study.report, section)
    if unit is Unit.STUDY:
        return [Case(study.id, study.id, patient, study.images, study.findings, text)]
    return [Case(image.id, study.id, patient, (image,), study.findings, text) for image in study.images]
