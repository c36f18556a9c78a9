"""The color maps of overlays: perceptually uniform, so that equal steps of a map look equal.

The tables are read from a file beside this module when first needed; drawing them from matplotlib would cost its
import at start-up.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

COLOR_MAPS: tuple[str, ...] = ("inferno", "magma", "viridis", "cividis")
DEFAULT_COLOR_MAP = "inferno"


@cache
def color_table(name: str) -> NDArray[np.uint8]:
    """Return uint8 [256, 3], red, green, blue from low to high. Raises KeyError for a name not in COLOR_MAPS."""
    text = resources.files("kdistill_viewer.canvas").joinpath("color_maps.json").read_text(encoding="utf-8")
    table = np.frombuffer(bytes.fromhex(json.loads(text)["maps"][name]), np.uint8).reshape(256, 3)
    table.flags.writeable = False
    return table
