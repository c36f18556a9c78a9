"""Tables that users bring: CSV files, plain or gzipped, read strictly; every error names file, line and remedy."""

from __future__ import annotations

import csv
import gzip
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, cast

from kdistill_core.errors import KDistillError

# A report in a cell may be longer than the 131,072 characters that the csv module allows by default.
_LONGEST_CELL = min(sys.maxsize, 2**31 - 1)


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
            raise TableError(
                f"{path}, line 1: there is no column {missing[0]!r}; the columns are {', '.join(names)}.",
                f"Name the column {missing[0]!r}, spelled like this.",
            )
        yield from _rows(path, reader, names)


def _rows(path: Path, reader: Iterator[list[str]], names: tuple[str, ...]) -> Iterator[Row]:
    line = _line(reader) + 1
    while True:
        try:
            cells = next(reader, None)
        except (csv.Error, EOFError, gzip.BadGzipFile, OSError) as error:
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
        names = tuple(name.strip() for name in next(reader, []))
    except UnicodeDecodeError as error:
        raise _not_utf8(path, error) from error
    except (csv.Error, EOFError, OSError) as error:
        raise TableError(f"{path}, line 1: the header cannot be read ({error}).", "Write the file again.") from error
    if not any(names):
        raise TableError(f"{path} is empty.", "Give a table whose first line names its columns.")
    doubled = [name for index, name in enumerate(names) if name and name in names[:index]]
    if doubled:
        raise TableError(
            f"{path}, line 1: the column {doubled[0]!r} is there twice.",
            "Remove one of them, so that it is clear which counts.",
        )
    return names


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
    return TableError(f"{where}: the text is not UTF-8 ({error.reason}).", "Save the table as UTF-8.")


def _bad_line(path: Path) -> int | None:
    """Return the first line that is not UTF-8; the decoder itself counts bytes of its buffer only."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return None
