"""MIMIC-CXR, as DICOM and as JPG (Johnson et al., Scientific Data 2019; arXiv 1901.07042): images, reports, labels.

An image lies at ``files/p10/p10000032/s50414267/<dicom_id>.jpg`` (or ``.dcm``), its report at
``files/p10/p10000032/s50414267.txt``, there or below ``mimic-cxr-reports``. A study keeps every image that the tables
name, its file there or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby, islice
from pathlib import Path

from kdistill_core.datasets.chexpert_labels import label_columns, unpack
from kdistill_core.datasets.contract import DataSet, DatasetError, DataSource, Ledger, Part, ReadOptions
from kdistill_core.datasets.disk import names_in
from kdistill_core.datasets.mimic_tables import (
    LABEL_SETS,
    RECORD_LIST,
    LabelSet,
    MimicTables,
    StudyRows,
    find_table,
    read_tables,
)
from kdistill_core.datasets.remark_kinds import (
    EMPTY_REPORT,
    MISSING_IMAGE,
    MISSING_REPORT,
    PATIENT_IN_TWO_SPLITS,
    REPORT_NOT_UTF8,
    UNLISTED_FOLDER,
    UNLISTED_IMAGE,
    UNREADABLE_REPORT,
)
from kdistill_core.labeling.sections import report_sections
from kdistill_core.records import ImageSource, Patient, Report, Study, StudyImage
from kdistill_core.tables import column_names, plain_or_gzipped

_JPG = ("mimic-cxr-jpg", "MIMIC-CXR as JPG")
_DICOM = ("mimic-cxr-dicom", "MIMIC-CXR as DICOM")
_DEFAULT_LABELS = "chexpert"
_LOOKED_AT = 1000  # study folders, at most, to see whether images are JPG or DICOM
_GROUP = re.compile(r"p\d\d")
_PATIENT = re.compile(r"p\d{8,}")
_STUDY = re.compile(r"s\d{8,}")


@dataclass(frozen=True)
class _Layout:
    """Where the files are. reports: the folders that may hold ``p10`` and so on; none where reports are not wanted."""

    files: Path
    suffix: str
    reports: tuple[Path, ...]


def _open_jpg(root: Path, options: ReadOptions) -> DataSet:
    metadata = find_table(root, "metadata")
    if metadata is None:
        raise DatasetError(
            f"{root} holds no table of its images (mimic-cxr-2.0.0-metadata.csv, plain or gzipped).",
            "Copy the tables of MIMIC-CXR-JPG beside the folder files.",
        )
    return _open(_JPG, root, options, metadata, ".jpg", (_metadata_part(metadata, needed=True),))


def _open_dicom(root: Path, options: ReadOptions) -> DataSet:
    metadata, records = find_table(root, "metadata"), plain_or_gzipped(root / RECORD_LIST)
    images = metadata or records
    if images is None:
        raise DatasetError(
            f"{root} holds no table of its images ({RECORD_LIST} or mimic-cxr-2.0.0-metadata.csv, plain or gzipped).",
            "Copy the tables of MIMIC-CXR and of MIMIC-CXR-JPG beside the folder files.",
        )
    parts = (
        _metadata_part(metadata, needed=records is None),
        Part(f"{RECORD_LIST}[.gz]", "images, where there is no metadata", metadata is None, records),
    )
    return _open(_DICOM, root, options, images, ".dcm", parts)


def _metadata_part(found: Path | None, *, needed: bool) -> Part:
    return Part("mimic-cxr-*-metadata.csv[.gz]", "images, their views and sizes", needed, found)


def _open(
    source: tuple[str, str], root: Path, options: ReadOptions, images: Path, suffix: str, image_parts: tuple[Part, ...]
) -> DataSet:
    labels, label_table = _label_table(root, options.labels)
    columns = label_columns(column_names(label_table), labels.optional) if label_table is not None else {}
    split_table = find_table(root, "split")
    files, unpacked = root / "files", _unpacked_reports(root)
    layout = _Layout(files, suffix, (files, *unpacked) if options.reports else ())
    name, title = source
    return DataSet(
        name=name,
        title=title,
        root=root,
        parts=(
            *image_parts,
            Part("mimic-cxr-*-split.csv[.gz]", "splits", False, split_table),
            Part(f"mimic-cxr-*-{labels.table}.csv[.gz]", "labels", False, label_table),
            Part("files", "images", True, files if files.is_dir() else None),
            Part("mimic-cxr-reports", "reports, if not beside the images", False, next(iter(unpacked), None)),
        ),
        conditions=tuple(columns),
        label_source=labels.made_by if label_table is not None else "no label table is there",
        splits="as published with MIMIC-CXR-JPG" if split_table is not None else "no split table is there",
        iterate=partial(_studies, MimicTables(images, split_table, label_table, columns), layout),
    )


def _label_table(root: Path, asked_for: str) -> tuple[LabelSet, Path | None]:
    """Return the label set and its table, which may be missing only where nobody asked for it."""
    labels = LABEL_SETS.get(asked_for or _DEFAULT_LABELS)
    if labels is None:
        raise DatasetError(f"MIMIC-CXR has no label set {asked_for!r}.", f"Choose one of {', '.join(LABEL_SETS)}.")
    table = find_table(root, labels.table)
    if asked_for and table is None:
        raise DatasetError(
            f"{root} holds no table of the labels asked for (mimic-cxr-*-{labels.table}.csv, plain or gzipped).",
            "Copy it from MIMIC-CXR-JPG, or ask for no label set.",
        )
    return labels, table


def _studies(tables: MimicTables, layout: _Layout, ledger: Ledger) -> Iterator[Study]:
    studies = read_tables(tables, ledger)
    patients = set()
    for subject, group in groupby(studies, key=lambda study: study.subject):
        of_patient = list(group)
        patients.add(f"p{subject}")
        if len({study.split for study in of_patient if study.split}) > 1:
            ledger.note(*PATIENT_IN_TWO_SPLITS, case=subject)
        yield from _studies_of_patient(subject, of_patient, layout, ledger)
    _note_unlisted_patients(layout.files, patients, ledger)


def _studies_of_patient(subject: str, studies: list[StudyRows], layout: _Layout, ledger: Ledger) -> Iterator[Study]:
    place = Path(f"p{subject[:2]}", f"p{subject}")
    folder = layout.files / place
    report_folders = [(reports / place, names_in(reports / place)) for reports in layout.reports]
    for name in sorted(names_in(folder) - {f"s{study.id}" for study in studies}):
        if _STUDY.fullmatch(name):
            ledger.note(*UNLISTED_FOLDER, case=name)
    for study in studies:
        yield Study(
            id=study.id,
            patient=Patient(id=subject),
            images=_images(folder / f"s{study.id}", study, layout.suffix, ledger),
            report=_report(study.id, report_folders, ledger) if layout.reports else None,
            findings=() if study.labels is None else unpack(study.labels),
            date=study.date,
            split=study.split,
        )


def _images(folder: Path, study: StudyRows, suffix: str, ledger: Ledger) -> tuple[StudyImage, ...]:
    on_disk = names_in(folder)
    names = [image.id + suffix for image in study.images]
    for image, name in zip(study.images, names, strict=True):
        if name not in on_disk:
            ledger.note(*MISSING_IMAGE, case=image.id)
    for name in sorted(on_disk.difference(names)):
        if name.endswith(suffix):
            ledger.note(*UNLISTED_IMAGE, case=name.removesuffix(suffix))
    base = str(folder)
    return tuple(
        StudyImage(image.id, ImageSource(f"{base}/{name}"), image.view_position, image.rows, image.columns)
        for image, name in zip(study.images, names, strict=True)
    )


def _report(study: str, folders: list[tuple[Path, frozenset[str]]], ledger: Ledger) -> Report | None:
    name = f"s{study}.txt"
    folder = next((folder for folder, names in folders if name in names), None)
    if folder is None:
        ledger.note(*MISSING_REPORT, case=study)
        return None
    try:
        content = (folder / name).read_bytes()
    except OSError:
        ledger.note(*UNREADABLE_REPORT, case=study)
        return None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        ledger.note(*REPORT_NOT_UTF8, case=study)
        text = content.decode("utf-8", errors="replace")
    if not text.strip():
        ledger.note(*EMPTY_REPORT, case=study)
    return Report(text, report_sections(text))


def _note_unlisted_patients(files: Path, known: set[str], ledger: Ledger) -> None:
    for group in sorted(name for name in names_in(files) if _GROUP.fullmatch(name)):
        for name in sorted(names_in(files / group) - known):
            if _PATIENT.fullmatch(name):
                ledger.note(*UNLISTED_FOLDER, case=name)


def _unpacked_reports(root: Path) -> tuple[Path, ...]:
    """Return the folders of reports that lie apart from the images, where the archive of reports was unpacked."""
    unpacked = (root / "mimic-cxr-reports", root.parent / "mimic-cxr-reports")
    candidates = (folder for reports in unpacked for folder in (reports / "files", reports))
    return tuple(folder for folder in candidates if any(_GROUP.fullmatch(name) for name in names_in(folder)))


def _is_jpg(root: Path) -> bool:
    suffixes = _first_suffixes(root)
    return ".jpg" in suffixes or (".dcm" not in suffixes and any(root.glob("mimic-cxr-*-metadata.csv*")))


def _is_dicom(root: Path) -> bool:
    suffixes = _first_suffixes(root)
    return ".dcm" in suffixes or (".jpg" not in suffixes and plain_or_gzipped(root / RECORD_LIST) is not None)


def _first_suffixes(root: Path) -> set[str]:
    """Return the suffixes of the files in the first study folder that holds an image, of the first few there are."""
    folders = islice((root / "files").glob("p[0-9][0-9]/p*/s*"), _LOOKED_AT)
    suffixes = ({Path(name).suffix for name in names_in(folder)} for folder in folders)
    return next((found for found in suffixes if found & {".jpg", ".dcm"}), set())


SOURCES: tuple[DataSource, ...] = (
    DataSource(*_JPG, _is_jpg, _open_jpg, "mimic-cxr-2.x.0-metadata.csv[.gz] and files/ with .jpg"),
    DataSource(*_DICOM, _is_dicom, _open_dicom, f"{RECORD_LIST}[.gz] and files/ with .dcm"),
)
