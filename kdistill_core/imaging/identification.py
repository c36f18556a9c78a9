"""Who and which side: what a file says of patient, date and orientation, in the words that window and exports share.

Wrong here is a mix-up of patients or of sides, so there is one wording, and nothing is guessed without saying so.
"""

from __future__ import annotations

from dataclasses import dataclass

from kdistill_core.records import Patient, Radiograph

_AGE_UNITS = {"Y": "y", "M": "mo", "W": "wk", "D": "d"}
_OPPOSITE = {"L": "R", "R": "L", "A": "P", "P": "A", "H": "F", "F": "H"}
_FRONTAL_VIEWS = {"PA", "AP"}


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


def patient_lines(radiograph: Radiograph) -> tuple[str, ...]:
    """Return name, id, sex with age, and study date; what the file does not say is said to be missing."""
    patient = radiograph.patient
    return (
        display_name(patient.name) or "no name in file",
        f"ID {patient.id.strip()}" if patient.id.strip() else "no ID in file",
        _sex_and_age(patient),
        display_date(radiograph.study_date) or "no study date in file",
    )


def patient_line(radiograph: Radiograph) -> str:
    """Return name, id, birth date and study date in one line, as far as the file gives them."""
    patient = radiograph.patient
    parts = (
        display_name(patient.name),
        f"ID {patient.id.strip()}" if patient.id.strip() else "",
        f"born {display_date(patient.birth_date)}" if patient.birth_date else "",
        f"study of {display_date(radiograph.study_date)}" if radiograph.study_date else "",
    )
    return " · ".join(part for part in parts if part) or "The file names no patient"


def side_markers(radiograph: Radiograph) -> SideMarkers:
    """Return the patient's sides as the file states them, assumed for PA and AP views, else none: never guessed.

    A Patient Orientation (DICOM PS3.3 C.7.6.1.1.1) names the directions in which rows and columns run.
    """
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


def _sex_and_age(patient: Patient) -> str:
    parts = [part for part in (patient.sex.strip(), display_age(patient.age.strip())) if part]
    if not patient.age.strip() and patient.birth_date:
        parts.append(f"born {display_date(patient.birth_date)}")
    return ", ".join(parts) or "no sex or age in file"
