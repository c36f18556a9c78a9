"""Phantom radiographs as DICOM files: Digital X-Ray or Computed Radiography Image Storage.

Modules after DICOM PS3.3 A.26 (DX For Presentation) and A.2 (CR). Identities are synthetic and say so.
"""

from __future__ import annotations

from pathlib import Path

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
)

from kdistill_core.records import Radiograph

_IMPLEMENTATION_UID = UID("2.25.302715923687046229174925310186311")


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """Return a code sequence item."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def write_dicom(radiograph: Radiograph, path: Path) -> None:
    """Write a phantom's radiograph; stored values are its modality units (12 of 16 bits)."""
    digital = radiograph.modality == "DX"
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = (
        DigitalXRayImageStorageForPresentation if digital else ComputedRadiographyImageStorage
    )
    meta.MediaStorageSOPInstanceUID = UID(radiograph.instance_uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = _IMPLEMENTATION_UID
    meta.ImplementationVersionName = "KDISTILL_PHANTOM"
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = radiograph.instance_uid
    _patient_and_study(dataset, radiograph)
    _series_and_equipment(dataset, radiograph)
    _image(dataset, radiograph)
    if digital:
        _digital_x_ray(dataset, radiograph)
    dataset.save_as(path, enforce_file_format=True)


def _patient_and_study(dataset: FileDataset, radiograph: Radiograph) -> None:
    dataset.SpecificCharacterSet = "ISO_IR 192"
    patient = radiograph.patient
    dataset.PatientName, dataset.PatientID = patient.name, patient.id
    dataset.PatientBirthDate, dataset.PatientSex, dataset.PatientAge = "", patient.sex, patient.age
    dataset.PatientComments = "Simulated. No such person exists."
    # PS3.3 C.7.1.1: no identity was ever there to remove, and readers may rely on that.
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "Simulated image"
    dataset.StudyInstanceUID = radiograph.study_uid
    dataset.StudyDate = radiograph.study_date
    dataset.StudyTime = "120000"
    dataset.StudyID = "1"
    dataset.ReferringPhysicianName = ""
    dataset.AccessionNumber = ""
    dataset.StudyDescription = radiograph.study_description


def _series_and_equipment(dataset: FileDataset, radiograph: Radiograph) -> None:
    dataset.Modality = radiograph.modality
    dataset.SeriesInstanceUID = radiograph.series_uid
    dataset.SeriesNumber = 1
    dataset.SeriesDescription = radiograph.series_description
    dataset.Manufacturer = radiograph.manufacturer
    dataset.ManufacturerModelName = "Phantom"
    dataset.SoftwareVersions = "1"
    dataset.BodyPartExamined = "CHEST"
    dataset.ViewPosition = radiograph.view_position


def _image(dataset: FileDataset, radiograph: Radiograph) -> None:
    dataset.InstanceNumber = 1
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.DerivationDescription = "Simulated projection"
    dataset.AcquisitionDate = dataset.ContentDate = radiograph.study_date
    dataset.AcquisitionTime = dataset.ContentTime = "120000"
    dataset.PatientOrientation = list(radiograph.patient_orientation or ("L", "F"))
    dataset.BurnedInAnnotation = "NO"
    dataset.LossyImageCompression = "00"
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME1" if radiograph.inverted else "MONOCHROME2"
    dataset.PresentationLUTShape = "INVERSE" if radiograph.inverted else "IDENTITY"
    dataset.Rows, dataset.Columns = radiograph.rows, radiograph.columns
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = 0, 1, "US"
    window = radiograph.windows[0]
    dataset.WindowCenter, dataset.WindowWidth = window.center, window.width
    dataset.WindowCenterWidthExplanation = window.name
    spacing = [radiograph.spacing.row_mm, radiograph.spacing.column_mm]
    dataset.ImagerPixelSpacing = [f"{value:.5f}" for value in spacing if value is not None]
    dataset.PixelData = radiograph.pixels.astype("<u2").tobytes()
    dataset["PixelData"].VR = "OW"


def _digital_x_ray(dataset: FileDataset, radiograph: Radiograph) -> None:
    """DX series, anatomy imaged, DX image, DX detector and DX positioning."""
    dataset.PresentationIntentType = "FOR PRESENTATION"
    # DX knows no left or right chest; the laterality of an unpaired part is U.
    dataset.ImageLaterality = "U"
    dataset.AnatomicRegionSequence = Sequence([code("43799004", "SCT", "Thorax")])
    dataset.PixelIntensityRelationship = "LOG"
    dataset.PixelIntensityRelationshipSign = 1 if radiograph.inverted else -1
    dataset.AcquisitionDeviceProcessingDescription = "Simulated"
    dataset.DetectorType = "DIRECT"
    dataset.DetectorID = "SIMULATED"
    dataset.PositionerType = "NONE"
    frontal = {"PA": ("272479007", "postero-anterior"), "AP": ("399348003", "antero-posterior")}
    value, meaning = frontal[radiograph.view_position]
    view = code(value, "SCT", meaning)
    view.ViewModifierCodeSequence = Sequence([])
    dataset.ViewCodeSequence = Sequence([view])
    upright = radiograph.view_position == "PA"
    orientation = code("10904000", "SCT", "erect") if upright else code("102538003", "SCT", "recumbent")
    dataset.PatientOrientationCodeSequence = Sequence([orientation])
    dataset.PatientOrientationModifierCodeSequence = Sequence([])
    dataset.AcquisitionContextSequence = Sequence([])
