"""How a saliency map becomes colors: opacity, threshold, color map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kdistill_core.errors import KDistillError
from kdistill_core.records import Radiograph, SaliencyMap
from kdistill_viewer.canvas.color_maps import COLOR_MAPS, DEFAULT_COLOR_MAP, color_table


class CanvasError(KDistillError):
    """The canvas was asked to show what cannot be shown rightly."""


@dataclass(frozen=True)
class OverlayStyle:
    """How a saliency map is laid over the image.

    opacity: alpha of the map's maximum, 0 to 1.
    threshold: values up to it are transparent, 0 to 1; above it alpha grows in proportion to the excess.
    color_map: a name in ``COLOR_MAPS``.
    """

    opacity: float = 0.6
    threshold: float = 0.2
    color_map: str = DEFAULT_COLOR_MAP
    visible: bool = True
    peak: bool = False  # ring the map's maximum

    def __post_init__(self) -> None:
        if not 0 <= self.opacity <= 1 or not 0 <= self.threshold <= 1:
            raise CanvasError("An overlay's opacity and threshold lie between 0 and 1.")
        if self.color_map not in COLOR_MAPS:
            raise CanvasError(
                f"There is no color map named {self.color_map!r}.", f"Choose one of {', '.join(COLOR_MAPS)}."
            )


def alphas(style: OverlayStyle) -> NDArray[np.float64]:
    """Return float64 [256], the alpha of each of 256 equal steps of a map's value."""
    values = np.arange(256) / 255
    span = 1 - style.threshold
    excess = np.clip((values - style.threshold) / span, 0, 1) if span > 0 else np.zeros(256)
    return style.opacity * excess


def overlay_palette(style: OverlayStyle) -> NDArray[np.uint32]:
    """Return uint32 [256], 0xAARRGGBB with premultiplied alpha, one entry for each of 256 steps of a map's value."""
    alpha = alphas(style)
    channels = np.concatenate([np.full((256, 1), 255.0), color_table(style.color_map)], axis=1)
    channels = np.rint(channels * alpha[:, None]).astype(np.uint32)
    packed = channels[:, 0] << 24 | channels[:, 1] << 16 | channels[:, 2] << 8 | channels[:, 3]
    return np.asarray(packed, np.uint32)


def bar_colors(style: OverlayStyle) -> NDArray[np.uint32]:
    """Return uint32 [256, 1], the color bar from 1 at the top to 0: opaque, transparent where the map is not drawn."""
    red, green, blue = color_table(style.color_map).astype(np.uint32).T
    packed = np.uint32(0xFF) << 24 | red << 16 | green << 8 | blue
    drawn = np.arange(256) / 255 > style.threshold
    return np.where(drawn, packed, np.uint32(0)).astype(np.uint32)[::-1, None]


def overlay_steps(saliency: SaliencyMap, radiograph: Radiograph) -> NDArray[np.uint8]:
    """Return uint8 [rows, columns], the map in 256 steps. Raises CanvasError for a map that is not this image's."""
    values = saliency.values
    if values.shape != radiograph.pixels.shape:
        raise CanvasError(
            f"The overlay has {values.shape[0]} x {values.shape[-1]} pixels, "
            f"the image {radiograph.rows} x {radiograph.columns}.",
            "It was made for another image; ask for it again.",
        )
    lowest, highest = float(values.min()), float(values.max())
    if not (lowest >= 0 and highest <= 1):  # also true of NaN
        raise CanvasError("The overlay holds values outside 0 to 1.", "Try another saliency method.")
    return np.asarray(np.rint(values * np.float32(255)), np.uint8)
