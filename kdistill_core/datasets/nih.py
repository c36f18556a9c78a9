"""NIH ChestX-ray14 (Wang et al., CVPR 2017): images named in a table, labels mined from reports.

Labels are mapped by name. A condition that the data set labels is negative where an image's list does not name it; a
condition it does not know stays blank. The finder of one label (Hernia, Emphysema, Fibrosis) without a counterpart
leaves No Finding blank: the image is not normal, yet nothing of the 14 is said to be there.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from kdistill_core.conditions import CONDITIONS, Condition, Source, State, condition_named, spellings
from kdistill_core.datasets.contract import DatasetError
from kdistill_core.datasets.splits import split_of
from kdistill_core.labeling import with_implied
from kdistill_core.records import Finding, ImageSource, Patient, Study, StudyImage

NAME = "nih"
KNOWN_CONDITIONS: tuple[Condition, ...] = tuple(
    condition for condition in CONDITIONS if condition in set(spellings(Source.NIH).values())
)
_UNMAPPED = frozenset({"emphysema", "fibrosis", "hernia"})
_COLUMNS = ("Image Index", "Finding Labels", "Patient ID", "Patient Age", "Patient Gender", "View Position")


def read_nih(images: Path, table: Path) -> tuple[Study, ...]:
    """Return a study for each image of ``table`` (``Data_Entry_2017.csv`` or a part of it) that lies in ``images``.

    A file may be JPEG though the table says PNG. Raises DatasetError.
    """
    try:
        with table.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except OSError as error:
        raise DatasetError(f"The label table {table} cannot be read: {error}.", "Check the path.") from error
    missing = [name for name in _COLUMNS if not rows or name not in rows[0]]
    if missing:
        raise DatasetError(f"{table} has no column {missing[0]!r}.", "Give NIH's Data_Entry_2017.csv.")
    files = {path.stem: path for path in images.iterdir()} if images.is_dir() else {}
    found = [_study(row, files[stem]) for row in rows if (stem := Path(row["Image Index"]).stem) in files]
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
    positive = {condition for condition in mapped.values() if condition is not None}
    states = {condition: State.POSITIVE if condition in positive else State.NEGATIVE for condition in KNOWN_CONDITIONS}
    if not positive:
        states[Condition.NO_FINDING] = State.BLANK
    stated = tuple(Finding(condition, states.get(condition, State.BLANK)) for condition in CONDITIONS)
    # What a positive condition implies is positive only where the data set could also have said negative; else a
    # model would learn that every image of this set which says something says it positively.
    return tuple(
        implied if before.condition in KNOWN_CONDITIONS else before
        for before, implied in zip(stated, with_implied(stated), strict=True)
    )


def _study(row: dict[str, str], file: Path) -> Study:
    stem = file.stem
    patient = row["Patient ID"].strip()
    return Study(
        id=f"{NAME}-{stem}",
        patient=Patient(id=patient, sex=row["Patient Gender"].strip(), age=_age(row["Patient Age"])),
        images=(StudyImage(stem, ImageSource(str(file)), row["View Position"].strip()),),
        findings=findings_of(row["Finding Labels"].split("|")),
        split=split_of(NAME, patient).value,
    )


def _age(given: str) -> str:
    """Return NIH's ages (``57`` or ``057Y``) as a DICOM age string."""
    digits = given.strip().rstrip("Yy")
    return f"{int(digits):03d}Y" if digits.isdigit() else ""
