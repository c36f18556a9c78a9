"""PadChest (Bustos et al., Medical Image Analysis 2020): 160,000 images of Alicante with labels and Spanish reports.

One table has a row an image. Its column ``Labels`` holds a list in Python's notation, whose names come with stray
blanks. Physicians labeled 27 % of the reports, a recurrent network trained on those the rest. Reports are lower-cased,
stemmed Spanish, so the labeler and the sections of this package, which read English, do not apply to them.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from kdistill_core.conditions import Source, State, condition_named
from kdistill_core.datasets.contract import DataSet, DatasetError, DataSource, Ledger, Part, ReadOptions
from kdistill_core.datasets.grouping import rows_by
from kdistill_core.datasets.image_files import ImageFiles, image_name
from kdistill_core.datasets.label_lists import conditions_of, findings_of_list
from kdistill_core.datasets.remark_kinds import EMPTY_VIEW_POSITION, LABELS_DISAGREE, MISSING_REPORT
from kdistill_core.datasets.splits import split_of
from kdistill_core.records import Finding, Patient, Report, Study, StudyImage
from kdistill_core.tables import Row, TableError, read_rows

NAME = "padchest"
TITLE = "PadChest"
KNOWN_CONDITIONS = conditions_of(Source.PADCHEST)
_PATTERN = "PADCHEST_chest_x_ray_images_labels_160K_*.csv"
_PUBLISHED = "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv"
_COLUMNS = ("ImageID", "StudyID", "PatientID", "Projection", "Labels", "MethodLabel")
_PHYSICIAN = "Physician"
# What is said of the study rather than of the chest: under these, a finding that is not named may still be there.
_OF_THE_STUDY = frozenset({"unchanged", "exclude", "suboptimal study"})
_LONGEST_LIST = 10_000  # characters; the longest published has some 300

_SPANISH = ("report in Spanish", "The report of this study is Spanish; the built-in labeler reads English.")
_EXCLUDE = ("image to exclude", "The publishers marked this image as one to exclude; it is kept.")
_EMPTY_LIST = ("no labels", "The list of labels of this study is empty; nothing is known of its conditions.")
_OPEN_LIST = (
    "open label list",
    "The labels call this study unchanged, suboptimal or to exclude; what they do not name is blank, not negative.",
)
_BY_MODEL = ("labels by a model", "Physicians did not label this study, and only their labels were asked for.")


def _table(root: Path) -> Path | None:
    found = sorted([*root.glob(_PATTERN), *root.glob(f"{_PATTERN}.gz")])
    return found[0] if found else None


def _open(root: Path, options: ReadOptions) -> DataSet:
    table = _table(root)
    if table is None:
        raise DatasetError(f"{root} holds no {_PUBLISHED}, plain or gzipped.", "Put PadChest's table there.")
    if options.labels not in {"", "physician"}:
        raise DatasetError(f"{TITLE} has no label set {options.labels!r}.", "Choose physician, or none for all.")
    methods, unmapped = _count(table)
    return DataSet(
        name=NAME,
        title=TITLE,
        root=root,
        parts=(
            Part(f"{_PUBLISHED}[.gz]", "images, labels and reports", found=table),
            Part("0 to 50, 54 or any other folder", "images", found=root),
        ),
        conditions=KNOWN_CONDITIONS,
        label_source=(
            f"from the reports, {methods[_PHYSICIAN]:,} of {methods.total():,} images by physicians, the others "
            + ("left out" if options.labels else "by a recurrent network")
            + "; a condition that a list does not name counts as negative"
        ),
        splits="by a hash of the patient: 72 % train, 10 % validation, 18 % test; none is published",
        iterate=partial(_iterate, root, table, options),
        unmapped=unmapped,
    )


def _count(table: Path) -> tuple[Counter[str], tuple[tuple[str, int], ...]]:
    """Return the images by labeling method, and the labels without a counterpart, most frequent first."""
    methods: Counter[str] = Counter()
    unmapped: Counter[str] = Counter()
    for row in read_rows(table, _COLUMNS):
        methods[row["MethodLabel"]] += 1
        unmapped.update(name for name in _labels(table, row) if condition_named(name, Source.PADCHEST) is None)
    return methods, tuple((name, count) for name, count in unmapped.most_common() if name not in _OF_THE_STUDY)


def _iterate(root: Path, table: Path, options: ReadOptions, ledger: Ledger) -> Iterator[Study]:
    files = ImageFiles((root,))
    lines: dict[str, int] = {}
    for study_id, rows in rows_by(table, _COLUMNS, "StudyID"):
        images = []
        for row in rows:
            first = lines.setdefault(row["ImageID"], row.line)
            if first != row.line:
                raise TableError(
                    f"{table}, line {row.line}: the image {row['ImageID']} is there already, in line {first}.",
                    "Remove one of the two rows.",
                )
            images.append(_image(root, row, files, ledger))
        patient = rows[0]["PatientID"]
        yield Study(
            id=study_id,
            patient=Patient(id=patient, sex=_sex(rows[0]), age=_age(rows[0])),
            images=tuple(images),
            report=_report(study_id, rows[0], ledger) if options.reports else None,
            findings=_findings(table, study_id, rows, options.labels, ledger),
            date=_whole(rows[0].get("StudyDate_DICOM")),
            split=split_of(NAME, patient).value,
        )
    files.note_unlisted(ledger)


def _image(root: Path, row: Row, files: ImageFiles, ledger: Ledger) -> StudyImage:
    name, view = row["ImageID"], row["Projection"]
    if view == "EXCLUDE":
        ledger.note(*_EXCLUDE, case=image_name(name))
    elif view in {"", "UNK"}:
        ledger.note(*EMPTY_VIEW_POSITION, case=image_name(name))
    source = files.source(name, root / row.get("ImageDir") / name, ledger)
    return StudyImage(image_name(name), source, "" if view == "UNK" else view)


def _report(study_id: str, row: Row, ledger: Ledger) -> Report | None:
    text = row.get("Report")
    if not text:
        ledger.note(*MISSING_REPORT, case=study_id)
        return None
    ledger.note(*_SPANISH, case=study_id)
    return Report(text)


def _findings(table: Path, study_id: str, rows: list[Row], label_set: str, ledger: Ledger) -> tuple[Finding, ...]:
    lists = [_labels(table, row) for row in rows]
    if len({frozenset(names) for names in lists}) > 1:
        ledger.note(*LABELS_DISAGREE, case=study_id)
    names = lists[0]
    if label_set and rows[0]["MethodLabel"] != _PHYSICIAN:
        ledger.note(*_BY_MODEL, case=study_id)
        return ()
    if not names:
        ledger.note(*_EMPTY_LIST, case=study_id)
        return ()
    is_open = not _OF_THE_STUDY.isdisjoint(names)
    if is_open:
        ledger.note(*_OPEN_LIST, case=study_id)
    mapped = {condition_named(name, Source.PADCHEST) for name in names}
    positive = {condition for condition in mapped if condition is not None}
    return findings_of_list(positive, KNOWN_CONDITIONS, State.BLANK if is_open else State.NEGATIVE)


def _labels(table: Path, row: Row) -> tuple[str, ...]:
    """Return the names in a cell such as ``['pleural effusion', ' pneumonia']``; none for an empty cell."""
    cell = row["Labels"]
    if cell in {"", "nan"}:
        return ()
    try:
        given = ast.literal_eval(cell) if cell.startswith("[") and len(cell) <= _LONGEST_LIST else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        given = None
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise TableError(
            f"{table}, line {row.line}: the cell 'Labels' is no list of names.", "Write it like ['pleural effusion']."
        )
    return tuple(name.strip() for name in given if name.strip())


def _sex(row: Row) -> str:
    sex = row.get("PatientSex_DICOM")
    return sex if sex in {"M", "F", "O"} else ""


def _age(row: Row) -> str:
    """Return the age at the study as a DICOM age string, to the year: only years of birth are published."""
    born, date = _whole(row.get("PatientBirth")), _whole(row.get("StudyDate_DICOM"))
    if len(born) != 4 or len(date) != 8:
        return ""
    years = int(date[:4]) - int(born)
    return f"{years:03d}Y" if 0 <= years < 1000 else ""


def _whole(cell: str) -> str:
    """Return a whole number that a table may have made a fraction of (``1930.0``), or nothing."""
    digits = cell.removesuffix(".0")
    return digits if digits.isdecimal() else ""


SOURCES = (DataSource(NAME, TITLE, lambda root: _table(root) is not None, _open, f"{_PUBLISHED}[.gz]"),)
