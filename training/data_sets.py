"""A public data set as training cases: any that a reader knows, with labels of its own or what its reports say.

Reports end here. They are read for what they say of each condition, and the cases that leave this module have none: a
student's batch cannot hold a word of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kdistill_core.conditions import CONDITIONS, STATE_CODES, State
from kdistill_core.datasets import Split, by_image
from kdistill_core.datasets.contract import DatasetError, ReadOptions
from kdistill_core.datasets.filters import Filtering, filters_named
from kdistill_core.datasets.registry import open_data_set
from kdistill_core.distillation.batches import condition_codes
from kdistill_core.distillation.reading import STATE_OF, blank_as_absent, read_report
from kdistill_core.distillation.soft_labels import with_consequences
from kdistill_core.distillation.soft_labels.hierarchy import ABNORMAL, NO_FINDING
from kdistill_core.labeling import label_report
from kdistill_core.records import Finding, Study
from kdistill_core.teacher.study_rationales import ContextSource

_STATES = {code: state for state, code in STATE_CODES.items() if code is not None}


@dataclass
class DataSetSettings:
    """A data set that a reader knows, and what of it a student learns.

    name: what `set_shares`, scores and card call it. dataset: its folder. kind, labels: its kind and label set, as
    `kdistill evaluate` has them. findings_from: its label table, or its reports as they are read. filters: what is
    left out, one after another (`kdistill data filters`). rationales: a store that `kdistill teacher write` made of it
    with the same `findings_from`; the rationale library where None. limit: images of each split, at most.
    blank_is_absent: whether what is not spoken of counts as absent, in training and where calibration and thresholds
    are chosen. Text F1 counts it so; thresholds that were chosen without the blanks then assert far too much.
    """

    name: str
    dataset: Path
    kind: str = ""
    labels: str = ""
    findings_from: ContextSource = ContextSource.LABELS
    filters: list[str] = field(default_factory=lambda: ["no-image", "not-frontal", "missing-image"])
    rationales: Path | None = None
    limit: int | None = None
    blank_is_absent: bool = False


def cases_of(settings: DataSetSettings, split: Split) -> list[Study]:
    """Return the cases of ``split``, one an image, each with its findings and without its report.

    Studies without labels, or without a report to read, are left out; in training also those in which nothing is
    present, not even that there is no finding: nothing could be written of them. What is left out is printed, as
    counts. Raises DatasetError where no case is left.
    """
    read = settings.findings_from is ContextSource.REPORT
    data_set = open_data_set(settings.dataset, settings.kind, ReadOptions(settings.labels, reports=read))
    filtering = Filtering(filters_named([*settings.filters, "no-report" if read else "no-label"]))
    studies = [
        replace(study, findings=_reported(study) if read else study.findings, report=None)
        for study in filtering.apply(data_set.studies(split.value))
    ]
    settled = list(_settled(studies))
    told = [study for study in settled if split is not Split.TRAIN or _says_something(study.findings)]
    cases = list(islice((_without_regions(case) for study in told for case in by_image(study)), settings.limit))
    _print_counts(settings.name, split, filtering, len(settled) - len(told))
    if not cases:
        raise DatasetError(
            f"{data_set.title} in {settings.dataset} has no case to train or measure on in the split {split.value!r}.",
            f"See what it holds: kdistill data check {settings.dataset}.",
        )
    return cases


def training_labels(settings: DataSetSettings, findings: Sequence[Sequence[Finding]]) -> NDArray[np.float32]:
    """Return what the classifier learns of each training case, float32 [N, K] of 1, 0, -1 (hedged) or NaN (masked).

    Where the set says so, every blank counts as absent. Else, where reports are read, it does for conditions that they
    hardly ever deny; of a label table a blank may mean that nobody labels the condition, so it stays masked.
    """
    codes = judging_labels(settings, findings)
    return blank_as_absent(codes) if settings.findings_from is ContextSource.REPORT else codes


def judging_labels(settings: DataSetSettings, findings: Sequence[Sequence[Finding]]) -> NDArray[np.float32]:
    """Return what calibration and thresholds are chosen by, float32 [N, K] as `training_labels`."""
    codes = np.asarray([condition_codes(case) for case in findings], dtype=np.float32)
    return np.nan_to_num(codes, nan=0.0) if settings.blank_is_absent else codes


def _reported(study: Study) -> tuple[Finding, ...]:
    """Return what the report says, with sides and severities and without its words; nothing where there is none."""
    text = "" if study.report is None else study.report.text
    said = {finding.condition: finding for finding in label_report(text)}
    return tuple(
        replace(said[reading.condition], state=STATE_OF[reading.said], evidence=()) for reading in read_report(text)
    )


def _settled(studies: Sequence[Study]) -> Iterator[Study]:
    """Yield the studies with what follows from their findings by the label hierarchy.

    A table that leaves No Finding empty beside an abnormality would teach that it is always there.
    """
    if not studies:
        return
    codes = with_consequences(np.asarray([condition_codes(study.findings) for study in studies], dtype=np.float32))
    abnormal = (codes[:, ABNORMAL] == 1).any(axis=1)
    codes[abnormal & np.isnan(codes[:, NO_FINDING]), NO_FINDING] = 0
    for study, row in zip(studies, codes, strict=True):
        states = [State.BLANK if np.isnan(code) else _STATES[int(code)] for code in row]
        findings = {finding.condition: finding for finding in study.findings}
        yield replace(
            study,
            findings=tuple(
                replace(findings[condition], state=state) for condition, state in zip(CONDITIONS, states, strict=True)
            ),
        )


def _without_regions(case: Study) -> Study:
    """Return the case without what readers marked: some data sets put phrases of the report beside it."""
    return replace(case, images=tuple(replace(image, regions=()) for image in case.images))


def _says_something(findings: Sequence[Finding]) -> bool:
    return any(finding.state is State.POSITIVE for finding in findings)


def _print_counts(name: str, split: Split, filtering: Filtering, untold: int) -> None:
    for count in filtering.counts((split.value,)):
        if count.images_left_out or count.studies_left_out:
            print(
                f"left out of {name}, {split}: {count.images_left_out} of {count.images_in} images, "
                f"{count.studies_left_out} of {count.studies_in} studies: {count.sentence}",
                flush=True,
            )
    if untold:
        print(f"left out of {name}, {split}: {untold} studies in which nothing is said to be present", flush=True)
