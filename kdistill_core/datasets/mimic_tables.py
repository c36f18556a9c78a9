"""The tables of MIMIC-CXR: which images there are, of which study and patient, in which split, with which labels.

MIMIC-CXR-JPG publishes metadata, splits and labels (``mimic-cxr-2.0.0-metadata.csv.gz`` and its siblings); MIMIC-CXR
itself publishes only a list of its DICOM files (``cxr-record-list.csv.gz``). Either serves as the list of images.
Johnson et al., MIMIC-CXR-JPG, arXiv 1901.07042.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from kdistill_core.conditions import Condition
from kdistill_core.datasets.chexpert_labels import BLANK, PackedLabels, pack_row
from kdistill_core.datasets.contract import DatasetError, Ledger
from kdistill_core.datasets.remark_kinds import (
    BLANK_LABELS,
    EMPTY_VIEW_POSITION,
    NO_LABELS,
    NO_SPLIT,
    STUDY_IN_TWO_SPLITS,
    UNKNOWN_IMAGE,
    UNKNOWN_STUDY,
)
from kdistill_core.datasets.splits import Split, most_held_out
from kdistill_core.tables import Row, TableError, plain_or_gzipped, read_rows

RECORD_LIST = "cxr-record-list.csv"

_SPLITS = {"train": Split.TRAIN, "validate": Split.VALIDATION, "test": Split.TEST}


@dataclass(frozen=True)
class LabelSet:
    """A set of labels. table: its part in the file's name; made_by: in words; optional: may have no column."""

    table: str
    made_by: str
    optional: frozenset[Condition] = frozenset()


# The radiologist read the reports of 687 studies, not their images; release 2.1.0 published it (there as 2.1.0 beside
# tables named 2.0.0), and whether it has a column No Finding could not be looked up.
LABEL_SETS: dict[str, LabelSet] = {
    "chexpert": LabelSet("chexpert", "CheXpert's labeler, from the reports"),
    "negbio": LabelSet("negbio", "NegBio, from the reports"),
    "radiologist": LabelSet("test-set-labeled", "a radiologist, from the reports", frozenset({Condition.NO_FINDING})),
}


class ImageRow(NamedTuple):
    """What the tables say of an image; rows and columns are those of the original, None where they are unknown."""

    id: str
    view_position: str
    rows: int | None
    columns: int | None
    split: str


@dataclass(slots=True)
class StudyRows:
    """What the tables say of a study. labels: None where no label table names it."""

    id: str
    subject: str
    date: str
    images: list[ImageRow] = field(default_factory=list)
    split: str = ""
    labels: PackedLabels | None = None


@dataclass(frozen=True)
class MimicTables:
    """The files that serve; None for those that are not there. images: the metadata, else the list of DICOM files.

    label_columns: of the label table, by condition.
    """

    images: Path
    split: Path | None = None
    labels: Path | None = None
    label_columns: Mapping[Condition, str] = field(default_factory=dict)


def find_table(root: Path, subject: str) -> Path | None:
    """Return ``mimic-cxr-<version>-<subject>.csv``, plain or gzipped, or None where ``root`` holds none.

    Raises DatasetError where two versions lie side by side.
    """
    pattern = re.compile(rf"mimic-cxr-\d+\.\d+\.\d+-{re.escape(subject)}\.csv")
    names = {path.name.removesuffix(".gz") for path in root.glob(f"mimic-cxr-*-{subject}.csv*")}
    versions = sorted(name for name in names if pattern.fullmatch(name))
    if len(versions) > 1:
        raise DatasetError(
            f"{root} holds {versions[0]} and {versions[1]}, so it is not clear which one counts.",
            "Keep the version that belongs to the images and move the other away.",
        )
    return plain_or_gzipped(root / versions[0]) if versions else None


def read_tables(tables: MimicTables, ledger: Ledger) -> list[StudyRows]:
    """Return every study of the tables, by patient and study, and note in the ledger what does not fit together.

    Raises TableError and DatasetError with file and line for an image that is listed twice, a study of two patients,
    a study that is labeled twice, an unknown split, and a cell that is no label.
    """
    splits = _read_splits(tables.split) if tables.split is not None else None
    studies = _read_images(tables.images, splits, ledger)
    for image in splits or ():
        ledger.note(*UNKNOWN_IMAGE, case=image)
    for study in studies.values():
        study.split = _split_of_study(study, ledger)
    if tables.labels is not None:
        _add_labels(tables.labels, tables.label_columns, studies, ledger)
    return sorted(studies.values(), key=lambda study: (study.subject, study.id))


def _read_splits(path: Path) -> dict[str, str]:
    splits: dict[str, str] = {}
    for row in read_rows(path, ("dicom_id", "split")):
        image, name = row["dicom_id"], row["split"]
        if name not in _SPLITS:
            raise DatasetError(
                f"{path}, line {row.line}: there is no split {name!r}.", f"Splits are {', '.join(_SPLITS)}."
            )
        if image in splits:
            raise _doubled(path, row, "image", image)
        splits[image] = _SPLITS[name].value
    return splits


def _read_images(path: Path, splits: dict[str, str] | None, ledger: Ledger) -> dict[str, StudyRows]:
    """Return the studies by id. Takes out of ``splits`` what it uses; None where there is no split table."""
    studies: dict[str, StudyRows] = {}
    seen: set[str] = set()
    # Sizes and view positions repeat: each is kept once in memory.
    shared: dict[str, str] = {}
    sizes: dict[str, int | None] = {"": None}
    for row in read_rows(path, ("dicom_id", "subject_id", "study_id")):
        image = row["dicom_id"]
        if image in seen:
            raise _doubled(path, row, "image", image)
        seen.add(image)
        view = row.get("ViewPosition")
        if not view:
            ledger.note(*EMPTY_VIEW_POSITION, case=image)
        split = splits.pop(image, "") if splits is not None else ""
        if splits is not None and not split:
            ledger.note(*NO_SPLIT, case=image)
        study = _study_of(path, row, studies)
        rows, columns = _size(path, row, "Rows", sizes), _size(path, row, "Columns", sizes)
        study.images.append(ImageRow(image, shared.setdefault(view, view), rows, columns, split))
    return studies


def _study_of(path: Path, row: Row, studies: dict[str, StudyRows]) -> StudyRows:
    subject, name = row["subject_id"], row["study_id"]
    if not (subject.isdecimal() and name.isdecimal()):
        raise DatasetError(
            f"{path}, line {row.line}: subject_id and study_id must be whole numbers.",
            "Write them as MIMIC-CXR does, without a decimal point.",
        )
    study = studies.get(name)
    if study is None:
        study = studies[name] = StudyRows(name, subject, row.get("StudyDate"))
    if study.subject != subject:
        raise DatasetError(
            f"{path}, line {row.line}: the study {name} is given to a second patient.", "Correct one of the two rows."
        )
    return study


def _size(path: Path, row: Row, column: str, known: dict[str, int | None]) -> int | None:
    cell = row.get(column)
    if cell not in known:
        if not cell.isdecimal() or int(cell) == 0:
            raise TableError(
                f"{path}, line {row.line}: {cell!r} is no number of {column.lower()}.",
                "Give a whole number or nothing.",
            )
        known[cell] = int(cell)
    return known[cell]


def _split_of_study(study: StudyRows, ledger: Ledger) -> str:
    splits = {image.split for image in study.images if image.split}
    if len(splits) > 1:
        ledger.note(*STUDY_IN_TWO_SPLITS, case=study.id)
    return most_held_out(splits)


def _add_labels(path: Path, columns: Mapping[Condition, str], studies: dict[str, StudyRows], ledger: Ledger) -> None:
    for name, labels in _read_labels(path, columns):
        study = studies.get(name)
        if study is None:
            ledger.note(*UNKNOWN_STUDY, case=name)
            continue
        study.labels = labels
        if labels == BLANK:
            ledger.note(*BLANK_LABELS, case=name)
    for study in studies.values():
        if study.labels is None:
            ledger.note(*NO_LABELS, case=study.id)


def _read_labels(path: Path, columns: Mapping[Condition, str]) -> Iterator[tuple[str, PackedLabels]]:
    seen: set[str] = set()
    shared: dict[PackedLabels, PackedLabels] = {}
    for row in read_rows(path, ("study_id", *columns.values())):
        name = row["study_id"]
        if name in seen:
            raise _doubled(path, row, "study", name)
        seen.add(name)
        labels = pack_row(path, row, columns)
        yield name, shared.setdefault(labels, labels)


def _doubled(path: Path, row: Row, what: str, name: str) -> DatasetError:
    return DatasetError(
        f"{path}, line {row.line}: the {what} {name} is listed a second time.", "Remove one of the rows."
    )
