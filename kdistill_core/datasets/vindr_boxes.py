"""VinDr-CXR's boxes: a class, a reader and two corners in pixels of the published DICOM image."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from kdistill_core.conditions import Source, condition_named
from kdistill_core.records import Box, Region
from kdistill_core.tables import Row, TableError, read_rows

CLASS = "class_name"
READER = "rad_id"  # not in the consensus of the test images
_CORNERS = ("x_min", "y_min", "x_max", "y_max")


def read_boxes(path: Path) -> dict[str, tuple[Region, ...]]:
    """Return the regions of each image of ``annotations_train.csv`` or ``annotations_test.csv``. Raises TableError."""
    rows: dict[str, list[Row]] = {}
    for row in read_rows(path, ("image_id", CLASS, *_CORNERS)):
        rows.setdefault(row["image_id"], []).append(row)
    return {name: boxes_of(path, of_image) for name, of_image in rows.items()}


def boxes_of(path: Path, rows: Iterable[Row]) -> tuple[Region, ...]:
    """Return the regions of one image; a row without corners, such as one of ``No finding``, has none.

    Raises TableError for corners that enclose nothing.
    """
    return tuple(
        Region(row[CLASS], condition_named(row[CLASS], Source.VINDR), _box(path, row), reader=row.get(READER))
        for row in rows
        if any(row[corner] for corner in _CORNERS)
    )


def _box(path: Path, row: Row) -> Box:
    try:
        left, top, right, bottom = (float(row[corner]) for corner in _CORNERS)
    except ValueError:
        left = top = right = bottom = math.nan
    if not (left < right < math.inf and top < bottom < math.inf):
        raise TableError(
            f"{path}, line {row.line}: x_min, y_min, x_max and y_max enclose nothing.",
            "Give the upper left and the lower right corner in pixels.",
        )
    return Box(left, top, right - left, bottom - top)
