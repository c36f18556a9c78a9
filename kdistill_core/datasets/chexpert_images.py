"""Paths, views and patients as CheXpert and CheXpert Plus write them.

``CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg`` names an image in a release that may be unpacked
under another name, so that only the part from the split on counts.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from kdistill_core.datasets.contract import DatasetError
from kdistill_core.datasets.splits import Split
from kdistill_core.records import Patient

# CheXpert's own names of its splits, which are those of its folders too; val is that of the copy beside CheXlocalize.
SPLITS = {"train": Split.TRAIN, "valid": Split.VALIDATION, "val": Split.VALIDATION, "test": Split.TEST}

_PATH = re.compile(rf"(?:.*/)?({'|'.join(SPLITS)})/(patient\d+)/(study\d+)/([^/]+)\.(\w+)")
_SEXES = {"male": "M", "female": "F"}
_AGE = re.compile(r"(\d{1,3})(?:\.0)?")


class ImagePath(NamedTuple):
    """Where an image lies: ``folder/patient/study/name.suffix``; ``folder`` is one of ``SPLITS``."""

    folder: str
    patient: str
    study: str
    name: str
    suffix: str

    @property
    def study_folder(self) -> str:
        """The study's folder, relative to where the images were unpacked."""
        return f"{self.folder}/{self.patient}/{self.study}"

    @property
    def study_id(self) -> str:
        return f"{self.patient}_{self.study}"

    @property
    def image_id(self) -> str:
        return f"{self.patient}_{self.study}_{self.name}"


def image_path(file: Path, line: int, path: str) -> ImagePath:
    """Return the parts of an image's path. Raises DatasetError with file and line for a path of another form."""
    found = _PATH.fullmatch(path.replace("\\", "/"))
    if found is None:
        raise DatasetError(
            f"{file}, line {line}: the path is not of the form train/patient00001/study1/view1_frontal.jpg.",
            "Give the file as it was published.",
        )
    return ImagePath(*found.groups())


def view_position(frontal_or_lateral: str, ap_or_pa: str) -> str:
    """Return AP or PA where it is known of a frontal view, FRONTAL, LATERAL, or nothing where the table is silent.

    A few frontal views of CheXpert are marked LL or RL in the column of AP and PA; they keep that mark.
    """
    if frontal_or_lateral.casefold() == "lateral":
        return "LATERAL"
    return ap_or_pa.upper() or frontal_or_lateral.upper()


def patient_of(name: str, sex: str, age: str) -> Patient:
    """Return a patient with DICOM's code for the sex and its string for the age; empty where the table is silent.

    CheXpert writes 0 for an age it does not know.
    """
    years = _AGE.fullmatch(age)
    known = years is not None and int(years[1]) > 0
    return Patient(name, sex=_SEXES.get(sex.casefold(), ""), age=f"{int(years[1]):03d}Y" if known and years else "")
