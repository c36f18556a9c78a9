"""MS-CXR (Boecking et al., ECCV 2022): boxes that radiologists drew around phrases of MIMIC-CXR's reports.

``MS_CXR_Local_Alignment_v1.1.0.csv`` has a row for each box: a condition of eight, the phrase, and the box in pixels of
the original image. Images are those of MIMIC-CXR and lie where the column ``path`` says, below this folder or the one
around it. A box makes its condition positive; nothing is known of what has no box.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from kdistill_core.conditions import CONDITIONS, Condition, Source, State, condition_named, spellings
from kdistill_core.datasets.contract import DataSet, DatasetError, DataSource, Ledger, Part, ReadOptions
from kdistill_core.datasets.remark_kinds import (
    BOX_OUTSIDE,
    EMPTY_VIEW_POSITION,
    MISSING_IMAGE,
    PATIENT_IN_TWO_SPLITS,
    STUDY_IN_TWO_SPLITS,
)
from kdistill_core.datasets.splits import Split, most_held_out
from kdistill_core.records import Box, Finding, ImageSource, Patient, Region, Study, StudyImage
from kdistill_core.tables import Row, TableError, column_names, plain_or_gzipped, read_rows

_NAME, _TITLE = "ms-cxr", "MS-CXR"
_TABLE = re.compile(r"MS_CXR_Local_Alignment_v[\d.]+\.csv")
_COLUMNS = ("category_name", "label_text", "path", "x", "y", "w", "h", "image_width", "image_height", "dicom_id")
_PATH = re.compile(r"(?:.*/)?p(\d+)/s(\d+)/[^/]+")
_SPLITS = {
    "": "",
    "train": Split.TRAIN.value,
    "val": Split.VALIDATION.value,
    "valid": Split.VALIDATION.value,
    "validate": Split.VALIDATION.value,
    "validation": Split.VALIDATION.value,
    "test": Split.TEST.value,
}


@dataclass(slots=True)
class _ImageRows:
    """What the table says of an image."""

    path: str
    rows: int
    columns: int
    regions: list[Region] = field(default_factory=list)


@dataclass(slots=True)
class _StudyRows:
    """What the table says of a study; images by id."""

    subject: str
    splits: set[str] = field(default_factory=set)
    images: dict[str, _ImageRows] = field(default_factory=dict)


def _recognizes(root: Path) -> bool:
    return bool(_versions(root))


def _open(root: Path, options: ReadOptions) -> DataSet:
    if options.labels:
        raise DatasetError(f"MS-CXR has one label set, none named {options.labels!r}.", "Ask for no label set.")
    versions = _versions(root)
    if len(versions) > 1:
        raise DatasetError(
            f"{root} holds {versions[0]} and {versions[1]}, so it is not clear which one counts.",
            "Keep one of them and move the other away.",
        )
    table = plain_or_gzipped(root / versions[0]) if versions else None
    if table is None:
        raise DatasetError(
            f"{root} holds no MS_CXR_Local_Alignment_v1.1.0.csv, plain or gzipped.", "Give the folder that it is in."
        )
    bases = tuple(base for base in (root, root.parent) if (base / "files").is_dir())
    known = set(spellings(Source.MS_CXR).values())
    return DataSet(
        name=_NAME,
        title=_TITLE,
        root=root,
        parts=(
            Part("MS_CXR_Local_Alignment_v*.csv[.gz]", "boxes and phrases", True, table),
            Part("files", "images of MIMIC-CXR, here or one folder up", True, bases[0] / "files" if bases else None),
        ),
        conditions=tuple(condition for condition in CONDITIONS if condition in known),
        label_source="radiologists' boxes: a box makes its condition positive, the rest is blank",
        splits=(
            "MS-CXR's own; they are not those of MIMIC-CXR"
            if "split" in column_names(table)
            else "none: this release of MS-CXR has no column split"
        ),
        iterate=partial(_studies, table, bases or (root,)),
    )


def _versions(root: Path) -> list[str]:
    names = {path.name.removesuffix(".gz") for path in root.glob("MS_CXR_Local_Alignment_v*.csv*")}
    return sorted(name for name in names if _TABLE.fullmatch(name))


def _studies(table: Path, bases: tuple[Path, ...], ledger: Ledger) -> Iterator[Study]:
    splits_of_patient: dict[str, set[str]] = {}
    for name, study in _read_table(table, ledger).items():
        if len(study.splits) > 1:
            ledger.note(*STUDY_IN_TWO_SPLITS, case=name)
        splits_of_patient.setdefault(study.subject, set()).update(study.splits)
        marked = {region.condition for image in study.images.values() for region in image.regions}
        yield Study(
            id=name,
            patient=Patient(study.subject),
            images=tuple(_image(image, of_image, bases, ledger) for image, of_image in study.images.items()),
            findings=tuple(Finding(c, State.POSITIVE if c in marked else State.BLANK) for c in CONDITIONS),
            split=most_held_out(study.splits),
        )
    for subject, splits in splits_of_patient.items():
        if subject and len(splits) > 1:
            ledger.note(*PATIENT_IN_TWO_SPLITS, case=subject)


def _image(name: str, image: _ImageRows, bases: tuple[Path, ...], ledger: Ledger) -> StudyImage:
    ledger.note(*EMPTY_VIEW_POSITION, case=name)
    candidates = [path for base in bases for path in (base / image.path, (base / image.path).with_suffix(".dcm"))]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        ledger.note(*MISSING_IMAGE, case=name)
    source = ImageSource(str(found or candidates[0]))
    return StudyImage(name, source, rows=image.rows, columns=image.columns, regions=tuple(image.regions))


def _read_table(table: Path, ledger: Ledger) -> dict[str, _StudyRows]:
    """Return the studies by id, in the order of the table."""
    studies: dict[str, _StudyRows] = {}
    for row in read_rows(table, _COLUMNS):
        image, path = row["dicom_id"], row["path"]
        place = _PATH.fullmatch(path)
        # A path of another form does not tell the study: the image then is one by itself.
        name, subject = (place[2], place[1]) if place is not None else (image, "")
        study = studies.setdefault(name, _StudyRows(subject))
        split = row.get("split").casefold()
        if split not in _SPLITS:
            raise DatasetError(f"{table}, line {row.line}: there is no split {split!r}.", "Write train, val or test.")
        study.splits.add(_SPLITS[split])
        rows, columns = (int(_size(table, row, column)) for column in ("image_height", "image_width"))
        box = _box(table, row)
        if box.x < 0 or box.y < 0 or box.x + box.width > columns or box.y + box.height > rows:
            ledger.note(*BOX_OUTSIDE, case=image)
        region = Region(row["category_name"], _condition(table, row), box, text=row["label_text"])
        study.images.setdefault(image, _ImageRows(path, rows, columns)).regions.append(region)
    return studies


def _condition(table: Path, row: Row) -> Condition:
    condition = condition_named(row["category_name"], Source.MS_CXR)
    if condition is None:
        raise DatasetError(
            f"{table}, line {row.line}: MS-CXR has no category {row['category_name']!r}.",
            f"Its categories are {', '.join(spellings(Source.MS_CXR))}.",
        )
    return condition


def _box(table: Path, row: Row) -> Box:
    x, y = (_number(table, row, column) for column in ("x", "y"))
    width, height = (_size(table, row, column) for column in ("w", "h"))
    return Box(x, y, width, height)


def _size(table: Path, row: Row, column: str) -> float:
    size = _number(table, row, column)
    if size <= 0:
        raise _no_number(table, row, column)
    return size


def _number(table: Path, row: Row, column: str) -> float:
    try:
        number = float(row[column])
    except ValueError:
        raise _no_number(table, row, column) from None
    if not math.isfinite(number):
        raise _no_number(table, row, column)
    return number


def _no_number(table: Path, row: Row, column: str) -> TableError:
    return TableError(
        f"{table}, line {row.line}: {row[column]!r} is no number of pixels for {column}.",
        "Give the table as it was published.",
    )


SOURCES: tuple[DataSource, ...] = (DataSource(_NAME, _TITLE, _recognizes, _open, "MS_CXR_Local_Alignment_v1.1.0.csv"),)
