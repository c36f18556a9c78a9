"""The radiograph and its overlays as the exported files show them."""

from __future__ import annotations

import base64
import io
from functools import cache
from typing import cast

import numpy as np
from numpy.typing import NDArray

from kdistill_core.imaging.display import default_window, render
from kdistill_core.records import Radiograph

COLOR_MAP = "inferno"
# Below this share of the maximum the overlay is clear, so that the anatomy under it can be judged.
CLEAR_BELOW = 0.15
STRONGEST = 0.65


def displayed(radiograph: Radiograph, longest: int) -> NDArray[np.uint8]:
    """Return the radiograph in its default window, reduced to at most ``longest`` pixels a side.

    Returns uint8 [rows, columns] with the aspect of the original.
    """
    from PIL import Image

    shown = render(radiograph, default_window(radiograph))
    rows, columns = reduced_size(radiograph.rows, radiograph.columns, longest)
    if (rows, columns) == shown.shape:
        return shown
    # A box average neither rings at edges nor aliases the anti-scatter grid.
    return np.asarray(Image.fromarray(shown).resize((columns, rows), Image.Resampling.BOX))


def reduced_size(rows: int, columns: int, longest: int) -> tuple[int, int]:
    """Return (rows, columns) shrunk so that the longer side is at most ``longest``; never enlarged."""
    scale = min(1.0, longest / max(rows, columns))
    return max(1, round(rows * scale)), max(1, round(columns * scale))


def overlay(values: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.uint8]:
    """Color a saliency map and resample it to ``rows`` x ``columns``.

    values: float32 [h, w] in [0, 1]. Returns uint8 [rows, columns, 4], RGBA with straight alpha.
    """
    from PIL import Image

    resized = Image.fromarray(values.astype(np.float32)).resize((columns, rows), Image.Resampling.BILINEAR)
    return color(np.clip(np.asarray(resized, dtype=np.float32), 0.0, 1.0))


def color(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return values in [0, 1], float32 [...], as uint8 RGBA [..., 4]; small values are clear."""
    index = np.round(np.nan_to_num(values) * 255).astype(np.uint8)
    rgba = _color_table()[index]
    alpha = np.clip((values - CLEAR_BELOW) / (1.0 - CLEAR_BELOW), 0.0, 1.0) ** 0.5 * STRONGEST
    rgba[..., 3] = np.round(np.nan_to_num(alpha) * 255).astype(np.uint8)
    return rgba


def blended(picture: NDArray[np.uint8], rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay an overlay, uint8 [rows, columns, 4], over a gray picture [rows, columns]; uint8 [rows, columns, 3]."""
    alpha = rgba[..., 3:].astype(np.float32) / 255
    mixed = picture[..., None].astype(np.float32) * (1 - alpha) + rgba[..., :3].astype(np.float32) * alpha
    return np.round(mixed).astype(np.uint8)


def png(picture: NDArray[np.uint8]) -> bytes:
    """Return uint8 [rows, columns] or [rows, columns, 3 or 4] as a PNG file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG")
    return buffer.getvalue()


def data_url(picture: NDArray[np.uint8]) -> str:
    """Return the picture as a URL that holds it."""
    return "data:image/png;base64," + base64.b64encode(png(picture)).decode("ascii")


@cache
def _color_table() -> NDArray[np.uint8]:
    from matplotlib import colormaps

    table = colormaps[COLOR_MAP](np.arange(256), bytes=True)
    return cast("NDArray[np.uint8]", table)
