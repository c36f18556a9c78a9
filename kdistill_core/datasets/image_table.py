"""The table of a plain folder of images: which columns it may have, and what a row of it says.

One column names the image: ``image``, ``file`` or ``path``. Others may be there: ``patient``, ``study``, ``view``,
``split``, ``report`` (its text, or a ``.txt`` file in the folder), and any of the 14 conditions by CheXpert's name with
1, 0, -1 or nothing in its cells. Case and ``_`` do not matter in a column's name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from kdistill_core.conditions import CONDITIONS, Condition, Source, State, condition_named, state_of_code
from kdistill_core.datasets.splits import Split
from kdistill_core.records import Finding
from kdistill_core.tables import Row, TableError

IMAGE_COLUMNS = ("image", "file", "path")
_OTHERS = ("patient", "study", "view", "split", "report")
_SPLITS = {
    **{split.value: split.value for split in Split},
    **dict.fromkeys(("val", "valid", "validate"), Split.VALIDATION.value),
}
# From this likeness on a name is taken for a slip of the pen: Cardiomegally, Plural Effusion. An age is no image.
_ALIKE = 0.8


@dataclass(frozen=True)
class Columns:
    """The names of a table's columns as it writes them. named: by our name; unused: those that say nothing here."""

    image: str
    named: Mapping[str, str]
    conditions: Mapping[Condition, str]
    unused: tuple[str, ...]

    def cell(self, row: Row, name: str) -> str:
        """Return what a row says under one of our names, nothing where the table has no such column."""
        return row[self.named[name]] if name in self.named else ""


def image_column(names: Sequence[str]) -> str | None:
    """Return the column that names the image, or None where there is none."""
    folded = {_fold(name): name for name in names}
    return next((folded[name] for name in IMAGE_COLUMNS if name in folded), None)


def columns_of(path: Path, names: Sequence[str]) -> Columns:
    """Return what the columns of a table mean.

    Raises TableError where none names the image, where two mean the same, and for a name that is nearly one of ours.
    """
    image = image_column(names)
    if image is None:
        raise TableError(
            f"{path}, line 1: no column names the image; the columns are {', '.join(names)}.",
            f"Name it {IMAGE_COLUMNS[0]!r}.",
        )
    named: dict[str, str] = {}
    conditions: dict[Condition, str] = {}
    unused: list[str] = []
    for name in names:
        condition = condition_named(name)
        first = conditions.get(condition) if condition else named.get(_fold(name))
        if first is not None:
            raise TableError(f"{path}, line 1: {first!r} and {name!r} are one column twice.", "Remove one of them.")
        if condition:
            conditions[condition] = name
        elif _fold(name) in _OTHERS:
            named[_fold(name)] = name
        elif name != image:
            _refuse_slip(path, name)
            unused.append(name)
    return Columns(image, named, conditions, tuple(name for name in unused if name))


def image_path(path: Path, row: Row, columns: Columns) -> str:
    """Return the path of a row's image, relative to the table's folder, with ``/`` between its parts.

    Raises TableError for an empty cell and for a path that leaves the folder.
    """
    cell = row[columns.image]
    if not cell:
        raise TableError(f"{path}, line {row.line}: the cell {columns.image!r} is empty.", "Name the image's file.")
    return _inside(path, row, columns.image, cell)


def report_path(path: Path, row: Row, columns: Columns) -> str | None:
    """Return the file that a row's report lies in, or None where the cell is its text. Raises TableError."""
    cell = columns.cell(row, "report")
    if not cell.lower().endswith(".txt") or "\n" in cell:
        return None
    return _inside(path, row, columns.named["report"], cell)


def findings_of(path: Path, row: Row, columns: Columns) -> tuple[Finding, ...]:
    """Return the 14 findings of a row; a condition without a column is blank. Raises TableError."""
    states = {condition: _state(path, row, name) for condition, name in columns.conditions.items()}
    return tuple(Finding(condition, states.get(condition, State.BLANK)) for condition in CONDITIONS)


def split_in(path: Path, row: Row, columns: Columns) -> str:
    """Return the split that a row names, or nothing where its cell is empty. Raises TableError for another word."""
    cell = columns.cell(row, "split")
    if cell and cell.casefold() not in _SPLITS:
        raise TableError(
            f"{path}, line {row.line}: there is no split {cell!r}.",
            f"Write {', '.join(Split)}, or leave the cell empty.",
        )
    return _SPLITS[cell.casefold()] if cell else ""


def _state(path: Path, row: Row, column: str) -> State:
    cell = row[column]
    try:
        return state_of_code(float(cell) if cell else None) if cell.casefold() != "nan" else State.BLANK
    except ValueError as error:
        raise TableError(
            f"{path}, line {row.line}, column {column!r}: {cell!r} is no label.",
            "Write 1 (present), 0 (absent), -1 (uncertain), or nothing (not mentioned).",
        ) from error


def _inside(table: Path, row: Row, column: str, cell: str) -> str:
    # By name alone: a folder of images may well be a link to another disk.
    root = os.path.abspath(table.parent)  # noqa: PTH100 - resolves no links
    relative = os.path.relpath(os.path.join(root, cell.replace("\\", "/")), root)  # noqa: PTH118
    if Path(relative).parts[0] == os.pardir:
        raise TableError(
            f"{table}, line {row.line}: the path in {column!r} leaves the folder.",
            "Put the file into the folder, or link to it from there, and give its path from there.",
        )
    return relative.replace(os.sep, "/")


def _refuse_slip(path: Path, name: str) -> None:
    """Raise TableError for a name that is nearly one of ours or that another data set has for one of the 14."""
    known = {_fold(ours): ours for ours in (*IMAGE_COLUMNS, *_OTHERS, *(condition.value for condition in CONDITIONS))}
    alike = get_close_matches(_fold(name).removesuffix(" id"), known, n=1, cutoff=_ALIKE)
    elsewhere = next((found for source in Source if (found := condition_named(name, source))), None)
    meant = known[alike[0]] if alike else elsewhere.value if elsewhere else None
    if meant is not None:
        raise TableError(
            f"{path}, line 1: the column {name!r} is not known; it seems to mean {meant!r}.",
            f"Rename it to {meant!r}, or remove it.",
        )


def _fold(name: str) -> str:
    return name.strip().replace("_", " ").casefold()
