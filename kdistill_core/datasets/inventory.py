"""What a data set holds: parts, counts by split, view and condition, what filters leave out, and every remark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.datasets.contract import DataSet, DatasetError, Ledger, Remark
from kdistill_core.datasets.filters import Filter, FilterCount, Filtering
from kdistill_core.datasets.splits import Split
from kdistill_core.records import Study

Report = Callable[[int], None]


@dataclass(frozen=True)
class PartFound:
    """A file or folder of the data set. found: the path that serves, empty where there is none."""

    path: str
    purpose: str
    needed: bool
    found: str


@dataclass(frozen=True)
class SplitCount:
    """What a split holds. split: empty for studies without one. regions: boxes and masks on its images."""

    split: str
    patients: int
    studies: int
    images: int
    reports: int
    findings_sections: int
    impressions: int
    regions: int


@dataclass(frozen=True)
class ViewCount:
    """How many images of a split are of a view; the view is as the data set names it, empty where it does not."""

    split: str
    view_position: str
    images: int


@dataclass(frozen=True)
class ConditionCount:
    """In how many studies of a split a condition is in each state; studies without labels count as blank."""

    split: str
    condition: Condition
    positive: int
    negative: int
    uncertain: int
    blank: int


@dataclass(frozen=True)
class Counts:
    """Studies counted by split, by split and view, and by split and condition.

    patients: in all splits together, each once, though one may have studies in several.
    """

    patients: int = 0
    splits: tuple[SplitCount, ...] = ()
    views: tuple[ViewCount, ...] = ()
    conditions: tuple[ConditionCount, ...] = ()


@dataclass(frozen=True)
class UnmappedLabel:
    """A label of the data set without a counterpart among the 14 conditions, and how often it occurs."""

    label: str
    count: int


@dataclass(frozen=True)
class Inventory:
    """What was found when a data set was read from beginning to end.

    conditions: those that the data set labels. as_read: before any filter; left: after all of them. filters: what each
    left out, in the order of application.
    """

    name: str
    title: str
    root: str
    label_source: str
    split_source: str
    parts: tuple[PartFound, ...]
    conditions: tuple[Condition, ...]
    unmapped: tuple[UnmappedLabel, ...]
    as_read: Counts
    filters: tuple[FilterCount, ...]
    left: Counts
    remarks: tuple[Remark, ...]


def take_inventory(data_set: DataSet, filters: Sequence[Filter] = (), report: Report | None = None) -> Inventory:
    """Return what ``data_set`` holds and what ``filters`` leave of it; every study is read once.

    report: called with the number of studies read so far. Raises DatasetError for a data set without a study, and
    what reading it raises.
    """
    ledger, filtering = Ledger(), Filtering(filters)
    as_read, left = _Counting(), _Counting()
    for number, study in enumerate(data_set.iterate(ledger), start=1):
        as_read.add(study)
        kept = filtering(study)
        if kept is not None:
            left.add(kept)
        if report is not None:
            report(number)
    if not as_read.studies:
        raise DatasetError(
            f"{data_set.root} was read as {data_set.title} and holds no study.", "Check that it is whole."
        )
    splits = sorted(as_read.studies, key=_order)
    return Inventory(
        name=data_set.name,
        title=data_set.title,
        root=str(data_set.root),
        label_source=data_set.label_source,
        split_source=data_set.splits,
        parts=tuple(
            PartFound(part.path, part.purpose, part.needed, "" if part.found is None else str(part.found))
            for part in data_set.parts
        ),
        conditions=data_set.conditions,
        unmapped=tuple(UnmappedLabel(label, count) for label, count in data_set.unmapped),
        as_read=as_read.counts(splits, data_set.conditions),
        filters=filtering.counts(splits),
        left=left.counts(splits, data_set.conditions),
        remarks=ledger.remarks(),
    )


class _Counting:
    """Counts studies as they go by."""

    def __init__(self) -> None:
        self.studies: Counter[str] = Counter()
        self._patients: dict[str, set[str]] = {}
        self._things: Counter[tuple[str, str]] = Counter()
        self._views: Counter[tuple[str, str]] = Counter()
        self._states: Counter[tuple[str, Condition, State]] = Counter()

    def add(self, study: Study) -> None:
        split = study.split
        self.studies[split] += 1
        # A study without a patient's id counts as a patient of its own.
        self._patients.setdefault(split, set()).add(study.patient.id or f"study {study.id}")
        self._things[split, "images"] += len(study.images)
        self._things[split, "regions"] += sum(len(image.regions) for image in study.images)
        for image in study.images:
            self._views[split, image.view_position] += 1
        if study.report is not None and study.report.text.strip():
            self._things[split, "reports"] += 1
            for section in ("findings", "impression"):
                self._things[split, section] += bool(study.report.sections.get(section, "").strip())
        for finding in study.findings:
            if finding.state is not State.BLANK:
                self._states[split, finding.condition, finding.state] += 1

    def counts(self, splits: Sequence[str], conditions: Iterable[Condition]) -> Counts:
        labeled = [condition for condition in CONDITIONS if condition in set(conditions)]
        views = sorted({view for _, view in self._views}, key=lambda view: (-self._images_of(view), view))
        return Counts(
            patients=len(set().union(*self._patients.values())),
            splits=tuple(self._split(split) for split in splits),
            views=tuple(ViewCount(split, view, self._views[split, view]) for view in views for split in splits),
            conditions=tuple(self._condition(split, condition) for condition in labeled for split in splits),
        )

    def _images_of(self, view: str) -> int:
        return sum(count for (_, of), count in self._views.items() if of == view)

    def _split(self, split: str) -> SplitCount:
        return SplitCount(
            split=split,
            patients=len(self._patients.get(split, ())),
            studies=self.studies[split],
            images=self._things[split, "images"],
            reports=self._things[split, "reports"],
            findings_sections=self._things[split, "findings"],
            impressions=self._things[split, "impression"],
            regions=self._things[split, "regions"],
        )

    def _condition(self, split: str, condition: Condition) -> ConditionCount:
        positive, negative, uncertain = (
            self._states[split, condition, state] for state in (State.POSITIVE, State.NEGATIVE, State.UNCERTAIN)
        )
        blank = self.studies[split] - positive - negative - uncertain
        return ConditionCount(split, condition, positive, negative, uncertain, blank)


def _order(split: str) -> tuple[int, str]:
    """Return the place of a split: training, validation, test, whatever else, and last what has none."""
    known = [known.value for known in Split]
    return (known.index(split) if split in known else len(known) + (not split), split)
