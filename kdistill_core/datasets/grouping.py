"""Rows of a table that belong together, such as the images of a study, without holding the table in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from kdistill_core.tables import Row, TableError, read_rows


def rows_by(path: Path, required: Sequence[str], column: str) -> Iterator[tuple[str, list[Row]]]:
    """Yield each value of ``column`` with its rows, as soon as the last of them is read.

    The table is read twice, first to count: rows of a study need not lie together. Raises TableError as
    :func:`kdistill_core.tables.read_rows` does, and for a row whose cell in ``column`` is empty.
    """
    left: Counter[str] = Counter()
    for row in read_rows(path, required):
        if not row[column]:
            raise TableError(f"{path}, line {row.line}: the cell {column!r} is empty.", f"Give every row its {column}.")
        left[row[column]] += 1
    waiting: dict[str, list[Row]] = {}
    for row in read_rows(path, required):
        value = row[column]
        waiting.setdefault(value, []).append(row)
        left[value] -= 1
        if not left[value]:
            yield value, waiting.pop(value)
