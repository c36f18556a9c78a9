"""NIH ChestX-ray14's boxes: drawn by radiologists on pictures of 1024 x 1024 pixels, whatever size lies on disk."""

from __future__ import annotations

import math
from pathlib import Path

from kdistill_core.conditions import Source, condition_named
from kdistill_core.datasets.contract import Ledger
from kdistill_core.datasets.image_files import image_name, picture_size
from kdistill_core.datasets.remark_kinds import BOX_OUTSIDE
from kdistill_core.records import Box, ImageSource, Region, StudyImage
from kdistill_core.tables import Row, TableError, column_names, read_rows

SIDE = 1024
# The published header reads "Bbox [x,y,w,h]": four columns, whose names hold the brackets.
_PUBLISHED = ("Bbox [x", "y", "w", "h]")
_PLAIN = ("x", "y", "w", "h")
UNREADABLE = ("unreadable image", "The size of this image cannot be read, so its boxes are left out.")


def read_boxes(path: Path) -> dict[str, tuple[Region, ...]]:
    """Return the regions of each image of ``BBox_List_2017.csv`` (or with columns x, y, w, h), by its name.

    Boxes are in coordinates of the 1024 x 1024 picture. Raises TableError for a box that is not four numbers with a
    positive width and height.
    """
    names = column_names(path)
    columns = _PUBLISHED if set(_PUBLISHED) <= set(names) else _PLAIN
    found: dict[str, list[Region]] = {}
    for row in read_rows(path, ("Image Index", "Finding Label", *columns)):
        label = row["Finding Label"]
        region = Region(label, condition_named(label, Source.NIH), _box(path, row, columns))
        found.setdefault(image_name(row["Image Index"]), []).append(region)
    return {name: tuple(regions) for name, regions in found.items()}


def with_regions(
    image_id: str, source: ImageSource, view_position: str, regions: tuple[Region, ...], ledger: Ledger
) -> StudyImage:
    """Return an image with its regions in its own pixels; its size is read only where it has regions.

    An edge at 0 stays at 0 and one at 1024 comes to lie at the image's width or height; the half pixel by which
    drawing tools differ in what they count from is far below what a reader draws.
    """
    size = picture_size(Path(source.path)) if regions else None
    if size is None:
        if regions and Path(source.path).is_file():
            ledger.note(*UNREADABLE, case=image_id)
        return StudyImage(image_id, source, view_position)
    columns, rows = size
    placed = tuple(_scaled(region, columns / SIDE, rows / SIDE) for region in regions)
    if any(_reaches_out(region.box, columns, rows) for region in placed if region.box):
        ledger.note(*BOX_OUTSIDE, case=image_id)
    return StudyImage(image_id, source, view_position, rows, columns, placed)


def _box(path: Path, row: Row, columns: tuple[str, ...]) -> Box:
    try:
        x, y, width, height = (float(row[column]) for column in columns)
    except ValueError:
        x = y = width = height = math.nan
    if not (math.isfinite(x + y + width + height) and width > 0 and height > 0):
        raise TableError(
            f"{path}, line {row.line}: the box is not four numbers with a positive width and height.",
            "Give x, y, width and height in pixels of the 1024 x 1024 picture.",
        )
    return Box(x, y, width, height)


def _scaled(region: Region, factor_x: float, factor_y: float) -> Region:
    box = region.box
    if box is None:
        return region
    placed = Box(box.x * factor_x, box.y * factor_y, box.width * factor_x, box.height * factor_y)
    return Region(region.label, region.condition, placed)


def _reaches_out(box: Box, columns: int, rows: int) -> bool:
    return box.x < 0 or box.y < 0 or box.x + box.width > columns or box.y + box.height > rows
