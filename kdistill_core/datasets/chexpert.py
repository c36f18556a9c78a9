"""CheXpert (Irvin et al., AAAI 2019), full size or small: a table for each split, labels per image, no reports.

The published ``train.csv`` carries labels of CheXpert's labeler, ``valid.csv`` those of radiologists. Images of one
study folder are one study. CheXpert Plus is in :mod:`kdistill_core.datasets.chexpert_plus`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from kdistill_core.conditions import CONDITIONS
from kdistill_core.datasets.chexpert_images import SPLITS, ImagePath, image_path, patient_of, view_position
from kdistill_core.datasets.chexpert_labels import BLANK, PackedLabels, label_columns, pack_row, unpack
from kdistill_core.datasets.chexpert_plus import PLUS
from kdistill_core.datasets.contract import DataSet, DatasetError, DataSource, Ledger, Part, ReadOptions
from kdistill_core.datasets.disk import names_in
from kdistill_core.datasets.remark_kinds import (
    BLANK_LABELS,
    EMPTY_VIEW_POSITION,
    LABELS_DISAGREE,
    MISSING_IMAGE,
    PATIENT_IN_TWO_SPLITS,
    UNLISTED_FOLDER,
    UNLISTED_IMAGE,
)
from kdistill_core.datasets.splits import Split
from kdistill_core.records import ImageSource, Patient, Study, StudyImage
from kdistill_core.tables import TableError, column_names, plain_or_gzipped, read_rows

_NAME, _TITLE = "chexpert", "CheXpert"
# The second names are those of the copy beside CheXlocalize, where the test set was first published.
_TABLES = {
    Split.TRAIN: ("train.csv",),
    Split.VALIDATION: ("valid.csv", "val_labels.csv"),
    Split.TEST: ("test.csv", "test_labels.csv"),
}


@dataclass(slots=True)
class _StudyRows:
    """What a table says of a study. images: the path and the view position of each."""

    patient: Patient
    labels: PackedLabels
    images: list[tuple[ImagePath, str]] = field(default_factory=list)


def _recognizes(root: Path) -> bool:
    """Return whether a table that is named as CheXpert's are has CheXpert's columns: others have a train.csv too."""
    tables = (plain_or_gzipped(root / name) for names in _TABLES.values() for name in names)
    return any(_has_columns(table) for table in tables if table is not None)


def _has_columns(table: Path) -> bool:
    try:
        names = column_names(table)
    except TableError:  # of whichever data set this table is, it cannot be read as CheXpert's
        return False
    return {"Path", *label_columns(names).values()} <= set(names)


def _open(root: Path, options: ReadOptions) -> DataSet:
    if options.labels:
        raise DatasetError(f"CheXpert has one label set, none named {options.labels!r}.", "Ask for no label set.")
    tables = {split: _table(root, names) for split, names in _TABLES.items()}
    found = {split: table for split, table in tables.items() if table is not None}
    if not found:
        raise DatasetError(f"{root} holds neither train.csv nor valid.csv.", "Give the folder that holds train.csv.")
    return DataSet(
        name=_NAME,
        title=_TITLE,
        root=root,
        parts=(
            *(Part(f"{_TABLES[split][0]}[.gz]", f"{split} split", False, table) for split, table in tables.items()),
            *(
                Part(
                    name, f"images of the {SPLITS[name]} split", False, root / name if (root / name).is_dir() else None
                )
                for name in ("train", "valid", "test")
            ),
        ),
        conditions=CONDITIONS,
        label_source="train: CheXpert's labeler, from the reports; validation and test: radiologists",
        splits="the tables as published; the test split was published apart, as test_labels.csv with CheXlocalize",
        iterate=partial(_studies, root, found),
    )


def _table(root: Path, names: tuple[str, ...]) -> Path | None:
    found = [table for table in (plain_or_gzipped(root / name) for name in names) if table is not None]
    if len(found) > 1:
        raise DatasetError(
            f"{root} holds {found[0].name} and {found[1].name}, two tables of one split.", "Move one of them away."
        )
    return found[0] if found else None


def _studies(root: Path, tables: dict[Split, Path], ledger: Ledger) -> Iterator[Study]:
    split_of_patient: dict[str, Split] = {}
    for split, table in tables.items():
        studies = _read_table(table, ledger)
        for patient in dict.fromkeys(study.patient.id for study in studies.values()):
            if split_of_patient.setdefault(patient, split) is not split:
                ledger.note(*PATIENT_IN_TWO_SPLITS, case=patient)
        for name, study in studies.items():
            if study.labels == BLANK:
                ledger.note(*BLANK_LABELS, case=name)
            images = _images(root, study.images, ledger)
            yield Study(name, study.patient, images, findings=unpack(study.labels), split=split.value)
        _note_unlisted_patients(root, studies, ledger)


def _read_table(table: Path, ledger: Ledger) -> dict[str, _StudyRows]:
    """Return the studies of a table by id, in its order; labels of a study's first image count."""
    studies: dict[str, _StudyRows] = {}
    seen = set()
    disagreeing: dict[str, None] = {}
    columns = label_columns(column_names(table))
    for row in read_rows(table, ("Path", *columns.values())):
        path = image_path(table, row.line, row["Path"])
        if path in seen:
            raise DatasetError(
                f"{table}, line {row.line}: the image is listed a second time.", "Remove one of the rows."
            )
        seen.add(path)
        labels = pack_row(table, row, columns)
        patient = patient_of(path.patient, row.get("Sex"), row.get("Age"))
        study = studies.setdefault(path.study_id, _StudyRows(patient, labels))
        if labels != study.labels:
            disagreeing[path.study_id] = None
        view = view_position(row.get("Frontal/Lateral"), row.get("AP/PA"))
        if not view:
            ledger.note(*EMPTY_VIEW_POSITION, case=path.image_id)
        study.images.append((path, view))
    for name in disagreeing:
        ledger.note(*LABELS_DISAGREE, case=name)
    return studies


def _images(root: Path, images: list[tuple[ImagePath, str]], ledger: Ledger) -> tuple[StudyImage, ...]:
    folder = root / images[0][0].study_folder
    on_disk = names_in(folder)
    named = {f"{path.name}.{path.suffix}": path for path, _ in images}
    for name, path in named.items():
        if name not in on_disk:
            ledger.note(*MISSING_IMAGE, case=path.image_id)
    for name in sorted(on_disk - named.keys()):
        if Path(name).suffix == f".{images[0][0].suffix}":
            ledger.note(*UNLISTED_IMAGE, case=f"{images[0][0].study_id}_{Path(name).stem}")
    return tuple(
        StudyImage(path.image_id, ImageSource(f"{folder}/{path.name}.{path.suffix}"), view) for path, view in images
    )


def _note_unlisted_patients(root: Path, studies: dict[str, _StudyRows], ledger: Ledger) -> None:
    known: dict[str, set[str]] = {}
    for study in studies.values():
        known.setdefault(study.images[0][0].folder, set()).add(study.patient.id)
    for folder, patients in known.items():
        for name in sorted(names_in(root / folder) - patients):
            if name.startswith("patient"):
                ledger.note(*UNLISTED_FOLDER, case=name)


SOURCES: tuple[DataSource, ...] = (
    PLUS,
    DataSource(_NAME, _TITLE, _recognizes, _open, "train.csv, valid.csv or test.csv"),
)
