"""A dark sheet to draw on in pixels, origin at the top left, with text that is measured before it is set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

DPI = 100
# Comes with matplotlib, so that a sheet looks the same on a system without fonts; it has the marks used here.
FONT = "DejaVu Sans"


@dataclass(frozen=True)
class Ink:
    """Colors of the dark sheet; text on each ground has a contrast of at least 4.5 : 1 (WCAG AA)."""

    ground: str = "#101418"
    panel: str = "#1a2026"
    line: str = "#39434d"
    text: str = "#e8edf2"
    quiet: str = "#a3afbb"
    accent: str = "#6cb6ff"
    agreed: str = "#6fd08c"
    contradicted: str = "#ff8f7a"
    warning_ground: str = "#f2b84b"
    warning_text: str = "#1a1300"


INK = Ink()


@dataclass(frozen=True)
class Style:
    """How text is set; size in pixels."""

    size: float = 17
    color: str = INK.text
    weight: str = "normal"

    @property
    def leading(self) -> float:
        """Distance between lines, in pixels."""
        return self.size * 1.5

    @property
    def font(self) -> FontProperties:
        return FontProperties(family=FONT, size=self.size * 72 / DPI, weight=self.weight)


class Sheet:
    """A figure of fixed size in pixels."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=INK.ground)

    def text(self, x: float, y: float, text: str, style: Style, *, anchor: str = "left") -> None:
        """Set one line with its top at ``y``; ``anchor`` is left, center or right."""
        baseline = self.height - y - style.size * 1.1
        self.figure.text(
            x / self.width,
            baseline / self.height,
            text,
            fontproperties=style.font,
            color=style.color,
            horizontalalignment=anchor,
            verticalalignment="baseline",
            parse_math=False,
        )

    def box(self, x: float, y: float, width: float, height: float, color: str) -> None:
        """Fill a rectangle whose top left corner is (x, y)."""
        self.figure.add_artist(
            Rectangle((x, self.height - y - height), width, height, facecolor=color, edgecolor="none", transform=None)
        )

    def picture(self, x: float, y: float, width: float, height: float, pixels: NDArray[np.uint8]) -> None:
        """Draw uint8 [rows, columns] or [rows, columns, 3] into the rectangle."""
        axes = self.figure.add_axes(
            (x / self.width, 1 - (y + height) / self.height, width / self.width, height / self.height)
        )
        axes.set_axis_off()
        axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, aspect="auto", interpolation="antialiased")

    def pixels(self) -> NDArray[np.uint8]:
        """Return the sheet as uint8 [height, width, 3]."""
        canvas = FigureCanvasAgg(self.figure)
        canvas.draw()  # type: ignore[no-untyped-call]
        return np.asarray(canvas.buffer_rgba(), dtype=np.uint8)[..., :3].copy()  # type: ignore[no-untyped-call]


def text_width(text: str, style: Style) -> float:
    """Return the width of one line of text in pixels."""
    return sum(_word_width(part, style) for part in text.replace(" ", "\0 \0").split("\0"))


def fitting(text: str, width: float, style: Style) -> Style:
    """Return ``style``, smaller where one line of ``text`` would be wider than ``width`` pixels."""
    needed = text_width(text, style)
    return style if needed <= width else replace(style, size=style.size * width / needed)


def wrapped(text: str, width: float, style: Style) -> list[str]:
    """Break text at blanks into lines no wider than ``width`` pixels, cutting longer words."""
    lines: list[str] = []
    for paragraph in text.splitlines() or [""]:
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}" if line else word
            if text_width(longer, style) <= width:
                line = longer
                continue
            if line:
                lines.append(line)
            *full, line = _cut(word, width, style)
            lines.extend(full)
        lines.append(line)
    return lines


def _cut(word: str, width: float, style: Style) -> list[str]:
    pieces, piece = [], ""
    for letter in word:
        if piece and text_width(piece + letter, style) > width:
            pieces.append(piece)
            piece = ""
        piece += letter
    return [*pieces, piece]


@lru_cache(maxsize=20_000)
def _word_width(word: str, style: Style) -> float:
    width, _, _ = _renderer().get_text_width_height_descent(word, style.font, ismath=False)
    return float(width)


@lru_cache(maxsize=1)
def _renderer() -> Any:
    return RendererAgg(8, 8, DPI)  # type: ignore[no-untyped-call]
