"""What is written over the image: who it is, how it was taken, how it is shown. Text only, no painting."""

from __future__ import annotations

from dataclasses import dataclass

from kdistill_core.exchange.presentation import METHOD_NAMES
from kdistill_core.records import (
    Explanation,
    Patient,
    Radiograph,
    SaliencyMap,
    Spacing,
    SpacingSource,
    TargetKind,
    Window,
)

NOTICE = Explanation.notice

_AGE_UNITS = {"Y": "y", "M": "mo", "W": "wk", "D": "d"}
_OPPOSITE = {"L": "R", "R": "L", "A": "P", "P": "A", "H": "F", "F": "H"}
_FRONTAL_VIEWS = {"PA", "AP"}
_UNITS = {"Y": "y", "M": "mo", "W": "wk", "D": "d"}
_OPPOSITE = {"L": "R", "R": "L", "A": "P", "P": "A", "H": "F", "F": "H"}
_FRONTAL_VIEWS = {"PA", "AP"}
# What a method is called in the literature; one without an entry is shown by its own name.
_METHODS = {
    "attention": "Condition query attention",
    "grad_cam": "Grad-CAM",
    "gradient_x_activation": "Gradient x activation",
    "integrated_gradients": "Integrated gradients",
}
_UNITS = {SpacingSource.CALIBRATED: "mm", SpacingSource.DETECTOR: "mm (detector)"}


@dataclass(frozen=True)
class SideMarkers:
    """The patient's sides at the picture's sides, as DICOM letters (R, L, A, P, H, F); empty where unknown.

    top and bottom are given only where the head is not up. ``note`` qualifies the markers, or says why there are none.
    """

    left: str = ""
    right: str = ""
    top: str = ""
    bottom: str = ""
    note: str = ""


@dataclass(frozen=True)
class ScaleBar:
    """A horizontal bar: its length in device pixels and what that length is."""

    length: float
    label: str


def patient_lines(radiograph: Radiograph) -> tuple[str, ...]:
    """Return name, id, sex with age, and study date; what the file does not say is said to be missing."""
    patient = radiograph.patient
    return (
        display_name(patient.name) or "no name in file",
        f"ID {patient.id.strip()}" if patient.id.strip() else "no ID in file",
        _sex_and_age(patient),
        display_date(radiograph.study_date) or "no study date in file",
    )


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


def display_name(name: str) -> str:
    """Return a DICOM person name as people write it: 'Doe^Jane^Q' becomes 'Doe, Jane Q' (PS3.5 6.2.1.1)."""
    alphabetic = next((group for group in name.split("=") if group.strip("^ ")), "")
    family, *others = (part.strip() for part in alphabetic.split("^"))
    given = " ".join(part for part in others if part)
    return ", ".join(part for part in (family, given) if part)


def display_date(date: str) -> str:
    """Return YYYYMMDD as YYYY-MM-DD, anything else as it stands."""
    return f"{date[:4]}-{date[4:6]}-{date[6:]}" if len(date) == 8 and date.isdigit() else date


def display_age(age: str) -> str:
    """Return a DICOM age string such as 057Y as '57 y', anything else as it stands."""
    number, unit = age[:-1], age[-1:].upper()
    return f"{int(number)} {_AGE_UNITS[unit]}" if number.isdigit() and unit in _AGE_UNITS else age


def side_markers(radiograph: Radiograph) -> SideMarkers:
    """Return the patient's sides as the file states them, assumed for PA and AP views, else none: never guessed."""
    if radiograph.patient_orientation is not None:
        along_rows, along_columns = (direction[:1].upper() for direction in radiograph.patient_orientation)
        if along_rows in _OPPOSITE and along_columns in _OPPOSITE:
            upright = along_columns == "F"
            return SideMarkers(
                left=_OPPOSITE[along_rows],
                right=along_rows,
                top="" if upright else _OPPOSITE[along_columns],
                bottom="" if upright else along_columns,
            )
    if radiograph.view_position.strip().upper() in _FRONTAL_VIEWS:
        return SideMarkers(left="R", right="L", note="assumed")
    return SideMarkers(note="side not stated")


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


def _sex_and_age(patient: Patient) -> str:
    parts = [part for part in (patient.sex.strip(), display_age(patient.age.strip())) if part]
    if not patient.age.strip() and patient.birth_date:
        parts.append(f"born {display_date(patient.birth_date)}")
    return ", ".join(parts) or "no sex or age in file"


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 or float(value).is_integer() else f"{value:.3g}"
