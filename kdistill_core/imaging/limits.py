"""The size guard: what a header may declare before any memory is taken for it."""

from __future__ import annotations

from kdistill_core.imaging.errors import ImagingError

# The largest radiographs in clinical use are stitched spines of about 3,000 by 10,000 pixels; 2**26 is twice that.
MAX_PIXELS = 2**26
# Below this no anatomy can be told; icons and test patterns are smaller.
MIN_SIDE = 8
# Headers, not pixels: a deflated data set or a compressed volume larger than this is refused.
MAX_INFLATED_BYTES = 2**30


def check_size(name: str, rows: int, columns: int) -> None:
    """Refuse a picture whose declared size is no radiograph's. Raises ImagingError.

    name: the file's name for the message; rows, columns: pixels, as the header declares them.
    """
    if rows < 1 or columns < 1:
        raise ImagingError(
            f"{name} declares an image of {columns} by {rows} pixels.",
            "Its header is damaged: export the image again from where it came.",
        )
    if rows * columns > MAX_PIXELS:
        raise ImagingError(
            f"{name} declares an image of {columns:,} by {rows:,} pixels, more than the {MAX_PIXELS:,} pixels that "
            "are read.",
            "No radiograph is that large; the header is damaged or the file is not what it seems.",
        )
    if min(rows, columns) < MIN_SIDE:
        raise ImagingError(
            f"{name} holds an image of only {columns} by {rows} pixels.",
            "That is too small to be a radiograph; choose the full image.",
        )
