"""Tables that users bring: CSV files, plain or gzipped, read strictly; every error names file, line and remedy."""

from __future__ import annotations

import csv
import gzip
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TextIO, cast

from kdistill_core.errors import KDistillError

# A report in a cell may be longer than the 131,072 characters that the csv module allows by default.
_LONGEST_CELL = min(sys.maxsize, 2**31 - 1)
_GZIP_MAGIC = b"\x1f\x8b"
# What csv, gzip and the disk raise for a file that is cut off or damaged.
_DAMAGED = (csv.Error, EOFError, OSError, zlib.error)


class TableError(KDistillError):
    """A table that cannot be read as what it should be: file, line, and what to do."""


@dataclass(frozen=True)
class Row:
    """A row of a table. line: its first line in the file, 1 for the header; cells: by column, as written."""

    line: int
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells[column].strip()

    def get(self, column: str, default: str = "") -> str:
        """Return the cell without surrounding blanks, or ``default`` where the table has no such column."""
        return self.cells.get(column, default).strip()


def plain_or_gzipped(path: Path) -> Path | None:
    """Return ``path`` if it is there, else ``path`` with ``.gz`` added if that is, else None."""
    gzipped = path.with_name(path.name + ".gz")
    return path if path.is_file() else gzipped if gzipped.is_file() else None


def column_names(path: Path) -> tuple[str, ...]:
    """Return the header of a table, without surrounding blanks. Raises TableError for a file without one."""
    with _opened(path) as stream:
        return _header(path, csv.reader(stream))


def read_rows(path: Path, required: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a CSV file, UTF-8 with or without a byte order mark, gzipped when it is named ``.gz``.

    required: columns that must be there; others may. Nothing is read before the first row is asked for. Raises
    TableError for a file that cannot be read, is not UTF-8, lacks a column, has a column twice, or has a row of
    another length than the header.
    """
    with _opened(path) as stream:
        reader = csv.reader(stream, strict=True)
        names = _header(path, reader)
        missing = [name for name in required if name not in names]
        if missing:
            raise _no_column(path, missing[0], names)
        yield from _rows(path, reader, names)


def _rows(path: Path, reader: Iterator[list[str]], names: tuple[str, ...]) -> Iterator[Row]:
    line = _line(reader) + 1
    while True:
        try:
            cells = next(reader, None)
        except _DAMAGED as error:
            raise TableError(
                f"{path}, line {line}: the row cannot be read ({error}).",
                "A quotation mark may be open or the file cut off; write it again.",
            ) from error
        except UnicodeDecodeError as error:
            raise _not_utf8(path, error) from error
        if cells is None:
            return
        if cells and len(cells) != len(names):
            raise TableError(
                f"{path}, line {line}: the row has {len(cells)} cells and the header {len(names)}.",
                "Put cells that hold commas in quotation marks.",
            )
        if cells:
            yield Row(line, dict(zip(names, cells, strict=True)))
        line = _line(reader) + 1


def _line(reader: object) -> int:
    number: int = reader.line_num  # type: ignore[attr-defined] # of csv.reader, whose type is private
    return number


def _header(path: Path, reader: Iterator[list[str]]) -> tuple[str, ...]:
    try:
        first = next(reader, None)
    except UnicodeDecodeError as error:
        raise _not_utf8(path, error) from error
    except _DAMAGED as error:
        raise TableError(f"{path}, line 1: the header cannot be read ({error}).", "Write the file again.") from error
    names = tuple(name.strip() for name in first or ())
    if not any(names):
        fault = " is empty" if first is None else ", line 1: no column has a name"
        raise TableError(f"{path}{fault}.", "Give a table whose first line names its columns.")
    doubled = [name for index, name in enumerate(names) if name and name in names[:index]]
    if doubled:
        raise TableError(
            f"{path}, line 1: the column {doubled[0]!r} is there twice.",
            "Remove one of them, so that it is clear which counts.",
        )
    return names


def _no_column(path: Path, column: str, names: Sequence[str]) -> TableError:
    """Say what is missing and what is like it; a table without a header has a patient where its names should be."""
    column = str(column)  # a condition is a string whose repr says more than its name
    problem = f"{path}, line 1: there is no column {column!r} among its {len(names)}"
    advice = f"Name the column {column!r}, spelled like this."
    separators = [word for mark, word in ((";", "semicolons"), ("\t", "tabs")) if len(names) == 1 and mark in names[0]]
    if separators:
        advice = f"Separate the cells by commas; {separators[0]} are in their place."
    folded = {name.casefold(): name for name in names}
    near = get_close_matches(column.casefold(), folded, n=1)
    return TableError(f"{problem}; the nearest is {folded[near[0]]!r}." if near else f"{problem}.", advice)


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    csv.field_size_limit(_LONGEST_CELL)
    open_text = gzip.open if path.suffix == ".gz" else open
    try:
        stream = open_text(path, "rt", encoding="utf-8-sig", newline="")
    except OSError as error:
        raise TableError(
            f"The table {path} cannot be read: {error.strerror or error}.", "Check the path and its permissions."
        ) from error
    with stream:
        yield cast("TextIO", stream)


def _not_utf8(path: Path, error: UnicodeDecodeError) -> TableError:
    line = _bad_line(path)
    where = f"{path}, line {line}" if line else str(path)
    if path.suffix != ".gz" and _is_gzip(path):
        return TableError(f"{where}: the file is gzip, not text.", "Give it a name that ends in .gz, or unpack it.")
    return TableError(f"{where}: the text is not UTF-8 ({error.reason}).", "Save the table as UTF-8.")


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC


def _bad_line(path: Path) -> int | None:
    """Return the first line that is not UTF-8; the decoder itself counts bytes of its buffer only."""
    # Damage behind the fault that is being told would only hide it.
    with suppress(*_DAMAGED), gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return None
