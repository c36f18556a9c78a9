"""NIH ChestX-ray14 (Wang et al., CVPR 2017): images named in a table, labels mined from reports, some boxes.

Labels are mapped by name, as :mod:`kdistill_core.datasets.label_lists` has it for data sets that name what is there.
The published layout is read, with its images in one folder or in twelve, and so are cut-down copies: a table
``labels_512.csv`` beside a folder ``512``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kdistill_core.conditions import Source, condition_named
from kdistill_core.datasets.contract import DataSet, DatasetError, DataSource, Ledger, Part, ReadOptions
from kdistill_core.datasets.image_files import ImageFiles, image_name
from kdistill_core.datasets.label_lists import conditions_of, findings_of_list
from kdistill_core.datasets.nih_boxes import read_boxes, with_regions
from kdistill_core.datasets.remark_kinds import EMPTY_VIEW_POSITION, NO_SPLIT, PATIENT_IN_TWO_SPLITS, UNKNOWN_IMAGE
from kdistill_core.datasets.splits import Shares, Split, split_of
from kdistill_core.records import Finding, ImageSource, Patient, Region, Study, StudyImage
from kdistill_core.tables import Row, TableError, column_names, plain_or_gzipped, read_rows

NAME = "nih"
TITLE = "NIH ChestX-ray14"
KNOWN_CONDITIONS = conditions_of(Source.NIH)
_UNMAPPED = frozenset({"emphysema", "fibrosis", "hernia"})
_COLUMNS = ("Image Index", "Finding Labels", "Patient ID", "Patient Age", "View Position")
# The release of 2020 corrects ages, so it counts where both are there.
_TABLES = ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv")
_BOXES = ("BBox_List_2017.csv", "boxes_1024.csv")
_LISTS = ("train_val_list.txt", "test_list.txt")
# The published test list is what is held out; of the rest a tenth of the patients validates.
_OFFICIAL_SHARES = Shares(validation=0.1, test=0.0)
_TWICE = ("image in two tables", "Two tables name this image; the one with the larger pictures counts.")
_STRAY_BOX = ("box of an unknown image", "The list of boxes names this image, and no label table does.")


def read_nih(images: Path, table: Path) -> tuple[Study, ...]:
    """Return a study for each image of ``table`` (``Data_Entry_2017.csv`` or a part of it) that lies in ``images``.

    A file may be JPEG though the table says PNG. Raises TableError, and DatasetError where no image is found.
    """
    files = ImageFiles((images,))
    found = []
    for row in read_rows(table, _COLUMNS):
        path = files.find(row["Image Index"])
        if path is not None:
            image = StudyImage(image_name(row["Image Index"]), ImageSource(str(path)), row["View Position"])
            found.append(_study(table, row, image, split_of(NAME, row["Patient ID"]).value))
    if not found:
        raise DatasetError(f"No image that {table} names lies in {images}.", "Give the folder of the images.")
    return tuple(found)


def findings_of(labels: Iterable[str]) -> tuple[Finding, ...]:
    """Return the 14 findings behind NIH's names, closed under CheXpert's hierarchy as far as NIH labels it.

    Raises DatasetError for a name that is not one of NIH's.
    """
    names = [label.strip() for label in labels]
    mapped = {name: condition_named(name, Source.NIH) for name in names}
    foreign = [name for name, condition in mapped.items() if condition is None and name.casefold() not in _UNMAPPED]
    if foreign:
        raise DatasetError(f"NIH ChestX-ray14 has no label {foreign[0]!r}.", "Check that the table is NIH's.")
    return findings_of_list({condition for condition in mapped.values() if condition is not None}, KNOWN_CONDITIONS)


@dataclass(frozen=True)
class _Tables:
    """The files that serve. entries: label tables, each with the folders of its images; lists: train, test, or None."""

    entries: tuple[tuple[Path, tuple[Path, ...]], ...]
    boxes: Path | None
    lists: tuple[Path, Path] | None


def _tables(root: Path) -> _Tables:
    boxes = next((path for name in _BOXES if (path := plain_or_gzipped(root / name))), None)
    train, test = (root / name for name in _LISTS)
    lists = (train, test) if train.is_file() and test.is_file() else None
    published = next((path for name in _TABLES if (path := plain_or_gzipped(root / name))), None)
    if published is not None:
        return _Tables(((published, _published_folders(root)),), boxes, lists)
    return _Tables(tuple(_cut_down(root)), boxes, lists)


def _published_folders(root: Path) -> tuple[Path, ...]:
    numbered = sorted(path for path in root.glob("images_[0-9][0-9][0-9]") if path.is_dir())
    whole = root / "images"
    return (whole, *numbered) if whole.is_dir() else tuple(numbered)


def _cut_down(root: Path) -> Iterator[tuple[Path, tuple[Path, ...]]]:
    """Yield each table ``labels_<side>.csv`` that has a folder ``<side>``, the largest pictures first."""
    sides = [match[1] for path in root.glob("labels_*.csv") if (match := re.fullmatch(r"labels_(\d+)\.csv", path.name))]
    for side in sorted(sides, key=int, reverse=True):
        if (root / side).is_dir() and _is_label_table(root / f"labels_{side}.csv"):
            yield root / f"labels_{side}.csv", (root / side,)


def _is_label_table(path: Path) -> bool:
    try:
        return set(_COLUMNS) <= set(column_names(path))
    except TableError:
        return False


def _recognizes(root: Path) -> bool:
    return bool(_tables(root).entries)


def _open(root: Path, options: ReadOptions) -> DataSet:
    if options.labels:
        raise DatasetError(f"{TITLE} has one set of labels; there is none named {options.labels!r}.", "Name none.")
    tables = _tables(root)
    if not tables.entries:
        raise DatasetError(f"{root} holds no {_TABLES[1]}.", "Put NIH's label table beside the images.")
    if not any(folders for _, folders in tables.entries):
        raise DatasetError(
            f"{root} holds neither a folder images nor images_001 to images_012.", "Unpack the images beside the table."
        )
    return DataSet(
        name=NAME,
        title=TITLE,
        root=root,
        parts=tuple(_parts(root, tables)),
        conditions=KNOWN_CONDITIONS,
        label_source=(
            "mined from reports by the publishers, about 90 % right as they say; a condition that an image's list does "
            "not name counts as negative; Infiltration counts as Lung Opacity"
        ),
        splits=(
            "the published test list; a tenth of the other patients, by a hash of the patient, for validation"
            if tables.lists
            else "by a hash of the patient: 72 % train, 10 % validation, 18 % test"
        ),
        iterate=partial(_iterate, tables),
        unmapped=_count_unmapped(tables),
    )


def _parts(root: Path, tables: _Tables) -> Iterator[Part]:
    for table, folders in tables.entries:
        yield Part(table.name, "labels, one row an image", found=table)
        for folder in folders:
            yield Part(folder.relative_to(root).as_posix(), "images", found=folder)
    yield Part(" or ".join(_BOXES), "boxes drawn by radiologists", needed=False, found=tables.boxes)
    for name, found in zip(_LISTS, tables.lists or (None, None), strict=True):
        yield Part(name, "published split; both lists are needed for it", needed=False, found=found)


def _count_unmapped(tables: _Tables) -> tuple[tuple[str, int], ...]:
    counted: Counter[str] = Counter()
    seen: set[str] = set()
    for table, _ in tables.entries:
        for row in read_rows(table, _COLUMNS):
            name = image_name(row["Image Index"])
            if name not in seen:
                counted.update(label for label in _labels(row) if label.casefold() in _UNMAPPED)
            seen.add(name)
    return tuple(sorted(counted.items()))


def _iterate(tables: _Tables, ledger: Ledger) -> Iterator[Study]:
    boxes = read_boxes(tables.boxes) if tables.boxes else {}
    official = _official_splits(*tables.lists, ledger) if tables.lists else None
    lines: dict[str, tuple[Path, int]] = {}
    split_of_patient: dict[str, str] = {}
    for table, folders in tables.entries:
        files = ImageFiles(folders)
        for row in read_rows(table, _COLUMNS):
            name = image_name(row["Image Index"])
            first, line = lines.setdefault(name, (table, row.line))
            if first == table and line != row.line:
                raise TableError(
                    f"{table}, line {row.line}: the image {name} is there already, in line {line}.",
                    "Remove one of the two rows.",
                )
            if first != table:
                files.find(name)
                ledger.note(*_TWICE, case=name)
                continue
            split = _split(row, name, official, ledger)
            if split_of_patient.setdefault(row["Patient ID"], split) != split:
                ledger.note(*PATIENT_IN_TWO_SPLITS, case=row["Patient ID"])
            yield _study(table, row, _image(row, name, files, folders, boxes, ledger), split)
        files.note_unlisted(ledger)
    for name in official or ():
        if name not in lines:
            ledger.note(*UNKNOWN_IMAGE, case=name)
    for name in boxes:
        if name not in lines:
            ledger.note(*_STRAY_BOX, case=name)


def _image(
    row: Row,
    name: str,
    files: ImageFiles,
    folders: tuple[Path, ...],
    boxes: Mapping[str, tuple[Region, ...]],
    ledger: Ledger,
) -> StudyImage:
    view = row["View Position"]
    if not view:
        ledger.note(*EMPTY_VIEW_POSITION, case=name)
    source = files.source(row["Image Index"], folders[0] / row["Image Index"], ledger)
    return with_regions(name, source, view, boxes.get(name, ()), ledger)


def _official_splits(train: Path, test: Path, ledger: Ledger) -> dict[str, Split]:
    """Return the published split of each image; an image of both lists is held out."""
    splits = dict.fromkeys(_list(train), Split.TRAIN)
    for name in _list(test):
        if name in splits:
            ledger.note("image in two splits", "Both lists name this image; it counts as held out for testing.", name)
        splits[name] = Split.TEST
    return splits


def _list(path: Path) -> list[str]:
    return [image_name(line) for line in path.read_text(encoding="utf-8").split()]


def _split(row: Row, name: str, official: Mapping[str, Split] | None, ledger: Ledger) -> str:
    patient = row["Patient ID"]
    if official is None:
        return split_of(NAME, patient).value
    if name not in official:
        ledger.note(*NO_SPLIT, case=name)
        return ""
    if official[name] is Split.TEST:
        return Split.TEST.value
    return split_of(NAME, patient, _OFFICIAL_SHARES).value


def _labels(row: Row) -> list[str]:
    return [label.strip() for label in row["Finding Labels"].split("|")]


def _study(table: Path, row: Row, image: StudyImage, split: str) -> Study:
    try:
        findings = findings_of(_labels(row))
    except DatasetError as error:
        raise TableError(f"{table}, line {row.line}: {error.problem}", error.advice) from error
    # The release of 2020 calls the column Patient Sex.
    sex = row.get("Patient Gender") or row.get("Patient Sex")
    patient = Patient(id=row["Patient ID"], sex=sex, age=_age(row["Patient Age"]))
    return Study(id=f"{NAME}-{image.id}", patient=patient, images=(image,), findings=findings, split=split)


def _age(given: str) -> str:
    """Return NIH's ages (``57`` or ``057Y``) as a DICOM age string."""
    digits = given.strip().rstrip("Yy")
    return f"{int(digits):03d}Y" if digits.isdecimal() else ""


SOURCES = (
    DataSource(
        NAME, TITLE, _recognizes, _open, "Data_Entry_2017.csv (or ..._v2020.csv) and images/ or images_001/ ..."
    ),
)
