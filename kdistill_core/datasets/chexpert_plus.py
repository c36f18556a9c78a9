"""CheXpert Plus (Chambon et al., arXiv 2405.19538): CheXpert's images with their reports, as PNG or as DICOM.

``df_chexpert_plus_240401.csv`` has a row for each image with the report of its study, whole and in sections. Labels
come apart as JSON lines, made from one part of the report each: ``impression_fixed.json``, ``findings_fixed.json`` and
``report_fixed.json``. Studies come in the order of their first images in the table; its rows may be in any order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from kdistill_core.conditions import CONDITIONS
from kdistill_core.datasets.chexpert_images import SPLITS, ImagePath, image_path, patient_of, view_position
from kdistill_core.datasets.chexpert_labels import BLANK, PackedLabels, pack_record, unpack
from kdistill_core.datasets.contract import DataSet, DatasetError, DataSource, Ledger, Part, ReadOptions
from kdistill_core.datasets.disk import names_in
from kdistill_core.datasets.remark_kinds import (
    BLANK_LABELS,
    EMPTY_VIEW_POSITION,
    LABELS_DISAGREE,
    MISSING_IMAGE,
    MISSING_REPORT,
    NO_LABELS,
    PATIENT_IN_TWO_SPLITS,
    UNKNOWN_STUDY,
    UNLISTED_IMAGE,
)
from kdistill_core.labeling import sections
from kdistill_core.records import Finding, ImageSource, Patient, Report, Study, StudyImage
from kdistill_core.tables import Row, TableError, plain_or_gzipped, read_rows

_NAME, _TITLE = "chexpert-plus", "CheXpert Plus"
_TABLE = "df_chexpert_plus_*.csv"
_COLUMNS = ("path_to_image", "frontal_lateral", "ap_pa", "deid_patient_id", "split")
# The part of the report that labels were made from; the impression first, as for CheXpert's own labels.
_LABEL_SETS = {"impression": "the impressions", "findings": "the findings sections", "report": "the whole reports"}
_DEFAULT_LABELS = "impression"
# The table's columns of sections; two pairs of them mean one section of ours.
_SECTIONS = {
    "section_narrative": "narrative",
    "section_clinical_history": sections.HISTORY,
    "section_history": sections.HISTORY,
    "section_comparison": sections.COMPARISON,
    "section_technique": sections.TECHNIQUE,
    "section_procedure_comments": sections.TECHNIQUE,
    "section_findings": sections.FINDINGS,
    "section_impression": sections.IMPRESSION,
    "section_summary": "summary",
}
_JSON_ADVICE = "Give the file as it was published, one JSON object a line."
# Small files first: DICOM takes far longer to read than the PNG made from it.
_SUFFIXES = (".png", ".jpg", ".dcm")


@dataclass(slots=True)
class _StudyRows:
    """What the table says of a study. images: the path and the view position of each."""

    patient: Patient
    split: str
    images: list[tuple[ImagePath, str]] = field(default_factory=list)


@dataclass(frozen=True)
class _Files:
    """What serves. bases: the folders that may hold ``train`` and ``valid``; reports: whether they are wanted."""

    table: Path
    labels: Path | None
    bases: tuple[Path, ...]
    reports: bool


def _recognizes(root: Path) -> bool:
    return any(root.glob(f"{_TABLE}*"))


def _open(root: Path, options: ReadOptions) -> DataSet:
    part = options.labels or _DEFAULT_LABELS
    if part not in _LABEL_SETS:
        raise DatasetError(f"CheXpert Plus has no label set {part!r}.", f"Choose one of {', '.join(_LABEL_SETS)}.")
    labels = _label_file(root, f"{part}_fixed.json")
    if options.labels and labels is None:
        raise DatasetError(
            f"{root} holds no {part}_fixed.json, nor does a folder in it.", "Unpack chexbert_labels.zip there."
        )
    table = _table(root)
    bases = _image_folders(root)
    return DataSet(
        name=_NAME,
        title=_TITLE,
        root=root,
        parts=(
            Part(f"{_TABLE}[.gz]", "images, reports and splits", True, table),
            Part(f"chexbert_labels/{part}_fixed.json", "labels", False, labels),
            Part("PNG", "images, in a folder that holds train and valid", True, bases[0] if bases else None),
        ),
        conditions=CONDITIONS if labels is not None else (),
        label_source=f"CheXbert, from {_LABEL_SETS[part]}" if labels is not None else "no label file is there",
        splits="the column split as published, train and valid; there is no test split",
        iterate=partial(_studies, _Files(table, labels, bases or (root,), options.reports)),
    )


def _table(root: Path) -> Path:
    names = sorted({path.name.removesuffix(".gz") for path in root.glob(f"{_TABLE}*")})
    if len(names) > 1:
        raise DatasetError(f"{root} holds {names[0]} and {names[1]}.", "Keep one of them and move the other away.")
    table = plain_or_gzipped(root / names[0]) if names else None
    if table is None:
        raise DatasetError(f"{root} holds no {_TABLE}.", "Give the folder that df_chexpert_plus_240401.csv is in.")
    return table


def _studies(files: _Files, ledger: Ledger) -> Iterator[Study]:
    studies = _read_images(files.table, ledger)
    labels = _read_labels(files.labels, studies, ledger) if files.labels is not None else None
    reports = _read_reports(files.table) if files.reports else ((name, None) for name in tuple(studies))
    for name, report in reports:
        study = studies.pop(name, None)
        if study is None:
            continue  # a further image of a study that was given already
        if files.reports and report is None:
            ledger.note(*MISSING_REPORT, case=name)
        yield Study(
            id=name,
            patient=study.patient,
            images=_images(files.bases, study.images, ledger),
            report=report,
            findings=_findings(name, labels, ledger) if labels is not None else (),
            split=study.split,
        )


def _read_images(table: Path, ledger: Ledger) -> dict[str, _StudyRows]:
    studies: dict[str, _StudyRows] = {}
    seen = set()
    split_of_patient: dict[str, str] = {}
    for row in read_rows(table, _COLUMNS):
        path = image_path(table, row.line, row["path_to_image"])
        if path in seen:
            raise DatasetError(
                f"{table}, line {row.line}: the image is listed a second time.", "Remove one of the rows."
            )
        seen.add(path)
        split = SPLITS.get(row["split"])
        if split is None:
            raise DatasetError(
                f"{table}, line {row.line}: there is no split {row['split']!r}.", "Write train or valid."
            )
        patient = patient_of(row["deid_patient_id"], row.get("sex"), row.get("age"))
        if split_of_patient.setdefault(patient.id, split) != split:
            ledger.note(*PATIENT_IN_TWO_SPLITS, case=patient.id)
        view = view_position(row["frontal_lateral"], row["ap_pa"])
        if not view:
            ledger.note(*EMPTY_VIEW_POSITION, case=path.image_id)
        study = studies.setdefault(path.study_id, _StudyRows(patient, split.value))
        study.images.append((path, view))
    return studies


def _read_reports(table: Path) -> Iterator[tuple[str, Report | None]]:
    """Yield the study and the report of every row, so that the reports never are in memory together."""
    for row in read_rows(table, ("path_to_image", "report", "section_findings", "section_impression")):
        yield image_path(table, row.line, row["path_to_image"]).study_id, _report(row)


def _report(row: Row) -> Report | None:
    parts: dict[str, list[str]] = {}
    for column, name in _SECTIONS.items():
        if text := row.get(column):
            parts.setdefault(name, []).append(text)
    if not (row["report"] or parts):
        return None
    return Report(row["report"], {name: "\n".join(texts) for name, texts in parts.items()})


def _read_labels(path: Path, studies: dict[str, _StudyRows], ledger: Ledger) -> dict[str, PackedLabels]:
    """Return the labels of each study, those of the first image that the file names."""
    labels: dict[str, PackedLabels] = {}
    shared: dict[PackedLabels, PackedLabels] = {}
    disagreeing: dict[str, None] = {}
    for line, record in _read_json_lines(path):
        name = image_path(path, line, str(record.get("path_to_image", ""))).study_id
        packed = pack_record(path, line, record)
        if labels.setdefault(name, shared.setdefault(packed, packed)) != packed:
            disagreeing[name] = None
    for name in disagreeing:
        ledger.note(*LABELS_DISAGREE, case=name)
    for name in sorted(labels.keys() - studies.keys()):
        ledger.note(*UNKNOWN_STUDY, case=name)
    return labels


def _read_json_lines(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    with path.open("rb") as stream:
        for line, content in enumerate(stream, start=1):
            if not content.strip():
                continue
            try:
                record = json.loads(content)
            except ValueError as error:
                raise TableError(f"{path}, line {line}: this is not JSON ({error}).", _JSON_ADVICE) from error
            if not isinstance(record, dict):
                raise TableError(f"{path}, line {line}: this is no JSON object.", _JSON_ADVICE)
            yield line, record


def _findings(name: str, labels: dict[str, PackedLabels], ledger: Ledger) -> tuple[Finding, ...]:
    packed = labels.get(name)
    if packed is None:
        ledger.note(*NO_LABELS, case=name)
        return ()
    if packed == BLANK:
        ledger.note(*BLANK_LABELS, case=name)
    return unpack(packed)


def _images(bases: tuple[Path, ...], images: list[tuple[ImagePath, str]], ledger: Ledger) -> tuple[StudyImage, ...]:
    first = images[0][0]
    on_disk = {folder: names_in(folder) for folder in (base / first.study_folder for base in bases)}
    stems = {Path(name).stem for names in on_disk.values() for name in names if name.endswith(_SUFFIXES)}
    for name in sorted(stems - {path.name for path, _ in images}):
        ledger.note(*UNLISTED_IMAGE, case=f"{first.study_id}_{name}")
    return tuple(StudyImage(path.image_id, _source(path, on_disk, ledger), view) for path, view in images)


def _source(path: ImagePath, on_disk: dict[Path, frozenset[str]], ledger: Ledger) -> ImageSource:
    for suffix in _SUFFIXES:
        for folder, names in on_disk.items():
            if path.name + suffix in names:
                return ImageSource(f"{folder}/{path.name}{suffix}")
    ledger.note(*MISSING_IMAGE, case=path.image_id)
    return ImageSource(f"{next(iter(on_disk))}/{path.name}.{path.suffix}")


def _label_file(root: Path, name: str) -> Path | None:
    candidates = (folder / name for folder in (root, *_folders(root)))
    return next((path for path in candidates if path.is_file()), None)


def _image_folders(root: Path) -> tuple[Path, ...]:
    """Return the folders that hold ``train`` or ``valid``: the archives unpack to ``PNG`` or to ``PNG/PNG``."""
    children = _folders(root)
    candidates = (root, *children, *(folder for child in children for folder in _folders(child)))
    return tuple(folder for folder in candidates if any((folder / split).is_dir() for split in SPLITS))


def _folders(folder: Path) -> list[Path]:
    """Return the folders in ``folder`` but those of images, which are many."""
    return sorted(path for path in folder.iterdir() if path.name not in SPLITS and path.is_dir())


PLUS = DataSource(_NAME, _TITLE, _recognizes, _open, f"{_TABLE} and train/ or PNG/")
