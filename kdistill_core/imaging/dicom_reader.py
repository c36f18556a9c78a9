"""A DICOM image to a radiograph, and its header to an entry of the study list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from kdistill_core.imaging.dicom_file import DicomFile, opened_dicom
from kdistill_core.imaging.dicom_pixels import check_picture, frame_count, stored_values
from kdistill_core.imaging.dicom_values import (
    functional_group,
    is_inverted,
    modality_values,
    padding_mask,
    voi_luts,
    windows,
)
from kdistill_core.imaging.entries import ImageEntry
from kdistill_core.imaging.errors import ImagingError
from kdistill_core.imaging.spacing import dicom_spacing
from kdistill_core.records import ImageSource, Patient, Radiograph

_DIRECTORY = "1.2.840.10008.1.3.10"


def read_dicom(source: ImageSource, sha256: str) -> Radiograph:
    """Return frame ``source.frame`` of a DICOM image with everything needed to show it rightly. Raises ImagingError."""
    with opened_dicom(Path(source.path)) as file:
        _check(file)
        dataset = file.dataset
        stored = stored_values(file, source.frame)
        padding = padding_mask(stored, dataset)
        pixels = modality_values(stored, dataset, source.frame, file.name)
        if not np.isfinite(pixels).all():
            raise ImagingError(f"{file.name} holds values that are not numbers.", "Export the image again.")
        return Radiograph(
            pixels=pixels,
            source=source,
            sha256=sha256,
            inverted=is_inverted(dataset),
            padding=padding,
            windows=windows(dataset, source.frame),
            voi_luts=voi_luts(dataset, source.frame, file.name),
            spacing=dicom_spacing(dataset, functional_group(dataset, source.frame, "PixelMeasuresSequence")),
            bits_stored=int(dataset.get("BitsStored") or dataset.BitsAllocated),
            modality=_text(dataset, "Modality"),
            body_part=_text(dataset, "BodyPartExamined"),
            view_position=_text(dataset, "ViewPosition"),
            laterality=_text(dataset, "ImageLaterality") or _text(dataset, "Laterality"),
            patient_orientation=_orientation(dataset),
            patient=_patient(dataset),
            study_uid=_text(dataset, "StudyInstanceUID"),
            series_uid=_text(dataset, "SeriesInstanceUID"),
            instance_uid=_text(dataset, "SOPInstanceUID"),
            study_date=_text(dataset, "StudyDate"),
            study_description=_text(dataset, "StudyDescription"),
            series_description=_text(dataset, "SeriesDescription"),
            manufacturer=_text(dataset, "Manufacturer"),
            frames=frame_count(file),
            burned_in_annotation={"YES": True, "NO": False}.get(_text(dataset, "BurnedInAnnotation")),
        )


def dicom_entry(path: Path) -> ImageEntry:
    """Return what the header of a DICOM image says; no pixel is decoded. Raises ImagingError."""
    with opened_dicom(path) as file:
        _check(file)
        dataset = file.dataset
        number = _text(dataset, "InstanceNumber")
        return ImageEntry(
            source=ImageSource(str(path)),
            rows=int(dataset.Rows),
            columns=int(dataset.Columns),
            frames=frame_count(file),
            patient=_patient(dataset),
            study_uid=_text(dataset, "StudyInstanceUID"),
            study_date=_text(dataset, "StudyDate"),
            study_description=_text(dataset, "StudyDescription"),
            series_uid=_text(dataset, "SeriesInstanceUID"),
            series_description=_text(dataset, "SeriesDescription"),
            instance_number=int(number) if number.lstrip("-").isdigit() else None,
            modality=_text(dataset, "Modality"),
            body_part=_text(dataset, "BodyPartExamined"),
            view_position=_text(dataset, "ViewPosition"),
        )


def _check(file: DicomFile) -> None:
    if str(file.dataset.file_meta.get("MediaStorageSOPClassUID", "")) == _DIRECTORY:
        raise ImagingError(f"{file.name} is the directory of a disc, not an image.", "Open it as a folder instead.")
    check_picture(file)


def _patient(dataset: Dataset) -> Patient:
    return Patient(
        id=_text(dataset, "PatientID"),
        name=_text(dataset, "PatientName"),
        sex=_text(dataset, "PatientSex"),
        birth_date=_text(dataset, "PatientBirthDate"),
        age=_text(dataset, "PatientAge"),
    )


def _orientation(dataset: Dataset) -> tuple[str, str] | None:
    value: Any = dataset.get("PatientOrientation")
    if value is None or isinstance(value, str) or len(value) != 2 or not all(value):
        return None
    return str(value[0]), str(value[1])


def _text(dataset: Dataset, keyword: str) -> str:
    """Return a header value as text; of several values the first."""
    value: Any = dataset.get(keyword)
    if value is None:
        return ""
    if not isinstance(value, str) and hasattr(value, "__iter__") and not hasattr(value, "original_string"):
        value = next(iter(value), "")
    return str(value).strip()
