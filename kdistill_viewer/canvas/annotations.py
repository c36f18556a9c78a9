"""What is written over the image of how it was taken and how it is shown. Text only, no painting."""

from __future__ import annotations

from dataclasses import dataclass

from kdistill_core.exchange.presentation import METHOD_NAMES
from kdistill_core.records import (
    Explanation,
    Radiograph,
    SaliencyMap,
    Spacing,
    SpacingSource,
    TargetKind,
    Window,
)

NOTICE = Explanation.notice

_UNITS = {SpacingSource.CALIBRATED: "mm", SpacingSource.DETECTOR: "mm (detector)"}


@dataclass(frozen=True)
class ScaleBar:
    """A horizontal bar: its length in device pixels and what that length is."""

    length: float
    label: str


def acquisition_lines(radiograph: Radiograph) -> tuple[str, ...]:
    """Return view position, modality, and the frame where there are several."""
    lines = [radiograph.view_position or "view not stated", radiograph.modality or "modality not stated"]
    if radiograph.frames > 1:
        lines.append(f"frame {radiograph.source.frame + 1} of {radiograph.frames}")
    return tuple(lines)


def display_lines(zoom: float, window: Window | None, *, inverted: bool) -> tuple[str, ...]:
    """Return how the image is shown: inverted, window, zoom."""
    lines = ["Inverted"] if inverted else []
    if window is not None:
        lines.append(f"W {_number(window.width)}  C {_number(window.center)}")
    percent = zoom * 100
    lines.append(f"Zoom {percent:.0f} %" if percent >= 10 else f"Zoom {percent:.1f} %")
    return tuple(lines)


def scale_bar(spacing: Spacing, zoom: float, longest: float) -> ScaleBar | None:
    """Return the bar of the largest round length that fits in ``longest`` device pixels: 1, 2 or 5 times 10**n.

    A length is in mm only where the spacing is calibrated, in "mm (detector)" where it is the detector's, in pixels
    otherwise. None where nothing round fits.
    """
    unit = _UNITS.get(spacing.source, "px")
    size = spacing.column_mm if unit != "px" and spacing.column_mm else 1.0
    if unit != "px" and not spacing.column_mm:
        unit = "px"
    per_unit = zoom / size
    lengths = [step * 10.0**exponent for exponent in range(-2, 6) for step in (1, 2, 5)]
    if unit == "px":
        lengths = [length for length in lengths if length >= 1]
    fitting = [length for length in lengths if length * per_unit <= longest]
    if not fitting:
        return None
    return ScaleBar(fitting[-1] * per_unit, f"{fitting[-1]:g} {unit}")


def overlay_lines(saliency: SaliencyMap, target_text: str = "") -> tuple[str, ...]:
    """Return method, target, what the colors are relative to, and what else has to be said of the map."""
    lines = (method_title(saliency.method), target_text or _target(saliency), "relative to the map's own maximum")
    return (*lines, saliency.note) if saliency.note else lines


def method_title(name: str) -> str:
    """Return what a saliency method is called in the literature, or its own name."""
    return METHOD_NAMES.get(name, name)


def _target(saliency: SaliencyMap) -> str:
    target = saliency.target
    condition = target.condition.value if target.condition is not None else ""
    if target.kind is TargetKind.CONDITION:
        return condition
    words = f"a {target.kind.value} of the rationale"
    return f"{words}, {condition}" if condition else words


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 or float(value).is_integer() else f"{value:.3g}"
