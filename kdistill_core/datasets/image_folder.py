"""A plain folder of images with one table, for data of one's own.

:mod:`kdistill_core.datasets.image_table` says what the table may hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kdistill_core.conditions import CONDITIONS, State
from kdistill_core.datasets.contract import DataSet, DatasetError, DataSource, Ledger, Part, ReadOptions
from kdistill_core.datasets.grouping import rows_by
from kdistill_core.datasets.image_files import image_name, is_image_file
from kdistill_core.datasets.image_table import (
    IMAGE_COLUMNS,
    Columns,
    columns_of,
    findings_of,
    image_column,
    image_path,
    report_path,
    split_in,
)
from kdistill_core.datasets.remark_kinds import (
    BLANK_LABELS,
    EMPTY_VIEW_POSITION,
    LABELS_DISAGREE,
    MISSING_IMAGE,
    MISSING_REPORT,
    NO_SPLIT,
    PATIENT_IN_TWO_SPLITS,
    REPORT_NOT_UTF8,
    STUDY_IN_TWO_SPLITS,
)
from kdistill_core.datasets.splits import most_held_out, split_of
from kdistill_core.labeling.sections import report_sections
from kdistill_core.records import Finding, ImageSource, Patient, Report, Study, StudyImage
from kdistill_core.tables import Row, TableError, column_names, read_rows

NAME = "images"
TITLE = "Folder of images with a table"
_TABLE = "images.csv"
_UNUSED_COLUMN = ("unused column", "Nothing is read from this column of the table.")


@dataclass(frozen=True)
class _Table:
    path: Path
    columns: Columns
    with_reports: bool


def _tables(root: Path) -> list[Path]:
    """Return ``images.csv``, or else every table of ``root`` that has a column for images."""
    if (root / _TABLE).is_file():
        return [root / _TABLE]
    return [path for path in sorted(root.glob("*.csv")) if _names_images(path)]


def _names_images(path: Path) -> bool:
    """Return whether a column of a table is named as one of images and begins with an image file's name."""
    try:
        column = image_column(column_names(path))
        first = next(read_rows(path, (column,)), None) if column else None
    except TableError:
        return False
    return first is not None and column is not None and is_image_file(first[column])


def _open(root: Path, options: ReadOptions) -> DataSet:
    if options.labels:
        raise DatasetError(f"A table has one set of labels; there is none named {options.labels!r}.", "Name none.")
    tables = _tables(root)
    if not tables:
        raise DatasetError(
            f"{root} holds no table with a column {', '.join(IMAGE_COLUMNS[:-1])} or {IMAGE_COLUMNS[-1]}.",
            f"Write {_TABLE} with one row an image.",
        )
    if len(tables) > 1:
        raise DatasetError(
            f"{root} holds {tables[0].name} and {tables[1].name}, which both name images.",
            f"Rename the one that counts to {_TABLE}.",
        )
    (table,) = tables
    columns = columns_of(table, column_names(table))
    by = "patient" if "patient" in columns.named else "study" if "study" in columns.named else "image"
    return DataSet(
        name=NAME,
        title=TITLE,
        root=root,
        parts=(Part(table.name, "images and what is known of them", found=table),),
        conditions=tuple(condition for condition in CONDITIONS if condition in columns.conditions),
        label_source=f"columns of {table.name}" if columns.conditions else f"{table.name} has no column of a condition",
        splits=(
            f"column {columns.named['split']!r} of {table.name}"
            if "split" in columns.named
            else f"by a hash of the {by}: 72 % train, 10 % validation, 18 % test"
        ),
        iterate=partial(_iterate, _Table(table, columns, options.reports)),
    )


def _iterate(table: _Table, ledger: Ledger) -> Iterator[Study]:
    columns, path = table.columns, table.path
    for name in columns.unused:
        ledger.note(*_UNUSED_COLUMN, case=name)
    lines: dict[str, int] = {}
    split_of_patient: dict[str, str] = {}
    for study_id, rows in rows_by(path, (columns.image,), columns.named.get("study", columns.image)):
        images = tuple(_image(table, row, lines, ledger) for row in rows)
        study = study_id if "study" in columns.named else images[0].id
        patient = _patient(path, rows, columns)
        split = _split(table, study, patient, rows, ledger)
        if patient and split_of_patient.setdefault(patient, split) != split:
            ledger.note(*PATIENT_IN_TWO_SPLITS, case=patient)
        yield Study(
            id=study,
            patient=Patient(id=patient),
            images=images,
            report=_report(table, study, rows, ledger) if table.with_reports and "report" in columns.named else None,
            findings=_findings(table, study, rows, ledger),
            split=split,
        )


def _image(table: _Table, row: Row, lines: dict[str, int], ledger: Ledger) -> StudyImage:
    relative = image_path(table.path, row, table.columns)
    folder, _, file = relative.rpartition("/")
    name = f"{folder}/{image_name(file)}" if folder else image_name(file)
    first = lines.setdefault(name, row.line)
    if first != row.line:
        raise TableError(
            f"{table.path}, line {row.line}: the image of this row is there already, in line {first}.",
            "Remove one of the two rows, or rename one of the two files if only their endings differ.",
        )
    path = table.path.parent / relative
    if not path.is_file():
        ledger.note(*MISSING_IMAGE, case=name)
    view = table.columns.cell(row, "view")
    if not view:
        ledger.note(*EMPTY_VIEW_POSITION, case=name)
    return StudyImage(name, ImageSource(str(path)), view)


def _patient(path: Path, rows: Sequence[Row], columns: Columns) -> str:
    given = [columns.cell(row, "patient") for row in rows]
    other = next((row for row, patient in zip(rows, given, strict=True) if patient != given[0]), None)
    if other is not None:
        raise TableError(
            f"{path}, line {other.line}: the study of this row is another patient's in line {rows[0].line}.",
            "Give each study one patient.",
        )
    return given[0]


def _split(table: _Table, study: str, patient: str, rows: Sequence[Row], ledger: Ledger) -> str:
    if "split" not in table.columns.named:
        return split_of(NAME, patient or study).value
    named = {split_in(table.path, row, table.columns) for row in rows} - {""}
    if not named:
        ledger.note(*NO_SPLIT, case=study)
    if len(named) > 1:
        ledger.note(*STUDY_IN_TWO_SPLITS, case=study)
    return most_held_out(named)


def _findings(table: _Table, study: str, rows: Sequence[Row], ledger: Ledger) -> tuple[Finding, ...]:
    if not table.columns.conditions:
        return ()
    found = [findings_of(table.path, row, table.columns) for row in rows]
    if any(other != found[0] for other in found):
        ledger.note(*LABELS_DISAGREE, case=study)
    if all(finding.state is State.BLANK for finding in found[0]):
        ledger.note(*BLANK_LABELS, case=study)
    return found[0]


def _report(table: _Table, study: str, rows: Sequence[Row], ledger: Ledger) -> Report | None:
    """Return the first report that a row of the study has."""
    for row in rows:
        file = report_path(table.path, row, table.columns)
        text = table.columns.cell(row, "report") if file is None else _text(table.path.parent / file, study, ledger)
        if text:
            return Report(text, report_sections(text))
    ledger.note(*MISSING_REPORT, case=study)
    return None


def _text(path: Path, study: str, ledger: Ledger) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return ""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        ledger.note(*REPORT_NOT_UTF8, case=study)
        return content.decode("utf-8", errors="replace")


SOURCES = (DataSource(NAME, TITLE, lambda root: bool(_tables(root)), _open, f"{_TABLE} with a column image"),)
