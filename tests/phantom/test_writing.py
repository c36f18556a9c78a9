"""Folders of phantoms: DICOM files that other readers accept, masks, tables, truth."""

import csv

import numpy as np
import pydicom
import pytest
from PIL import Image

from kdistill_core.conditions import CONDITIONS, State, state_of_code
from kdistill_core.phantom import PhantomError, simulate, write_cases
from kdistill_core.phantom.writing import FolderTruth
from kdistill_core.serialization import from_json

# Type 1 attributes of DICOM PS3.3: must be there and hold a value.
COMMON_TYPE_1 = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality", "SamplesPerPixel",
    "PhotometricInterpretation", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "PixelData",
)  # fmt: skip
# Of table A.26 (DX): C.8.11.1 series, .2 anatomy, .3 image, .4 detector and the modules they ask for.
DX_TYPE_1 = (
    "PresentationIntentType", "ImageLaterality", "ImageType", "PixelIntensityRelationship",
    "PixelIntensityRelationshipSign", "RescaleIntercept", "RescaleSlope", "RescaleType", "PresentationLUTShape",
    "LossyImageCompression", "BurnedInAnnotation", "DetectorType", "ImagerPixelSpacing", "WindowCenter", "WindowWidth",
    "PatientOrientation",
)  # fmt: skip
# Type 2: must be there, may be empty.
TYPE_2 = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "ReferringPhysicianName",
    "StudyID", "AccessionNumber", "SeriesNumber", "Manufacturer", "InstanceNumber", "PatientOrientation",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("phantoms")
    calls = []
    written = write_cases(10, (80, 64), 30, out, lambda done, count: calls.append((done, count)))
    assert calls == [(i, 10) for i in range(1, 11)]
    return out, written


def test_every_case_is_written_whole(folder):
    out, written = folder
    assert len(written.cases) == 10
    for case in written.cases:
        assert (out / case.image).is_file()
        expected = simulate(case.seed, 80, 64)
        assert (out / case.report).read_text(encoding="utf-8") == expected.report.text
        assert set(case.masks) == {condition.value for condition in expected.masks}
        for condition, mask in expected.masks.items():
            stored = np.asarray(Image.open(out / case.masks[condition.value]))
            np.testing.assert_array_equal(stored == 255, mask)


def test_pydicom_reads_back_the_simulated_pixels(folder):
    out, written = folder
    for case in written.cases:
        dataset = pydicom.dcmread(out / case.image)
        radiograph = simulate(case.seed, 80, 64).radiograph
        np.testing.assert_array_equal(dataset.pixel_array, radiograph.pixels.astype(np.uint16))
        assert (dataset.PhotometricInterpretation == "MONOCHROME1") == radiograph.inverted
        assert dataset.ViewPosition == case.view_position
        assert dataset.PatientName == radiograph.patient.name
        assert "no such person" in dataset.PatientComments.lower()


def test_files_hold_what_the_standard_demands(folder):
    out, written = folder
    modalities = set()
    for case in written.cases:
        dataset = pydicom.dcmread(out / case.image)
        modalities.add(dataset.Modality)
        for keyword in (*COMMON_TYPE_1, *(DX_TYPE_1 if dataset.Modality == "DX" else ())):
            assert dataset.get(keyword) not in (None, "", []), keyword
        assert all(keyword in dataset for keyword in TYPE_2)
        if dataset.Modality == "DX":
            assert dataset.SOPClassUID == pydicom.uid.DigitalXRayImageStorageForPresentation
            # C.8.11.3.1.2: the shape follows the photometric interpretation.
            shape = {"MONOCHROME1": "INVERSE", "MONOCHROME2": "IDENTITY"}[dataset.PhotometricInterpretation]
            assert dataset.PresentationLUTShape == shape
            assert dataset.ViewCodeSequence[0].CodingSchemeDesignator == "SCT"
            assert dataset.AnatomicRegionSequence[0].CodeMeaning == "Thorax"
        assert dataset.PixelSpacing is None if "PixelSpacing" in dataset else True
        assert all(value.is_valid for value in (dataset.StudyInstanceUID, dataset.SOPInstanceUID))
    assert modalities == {"CR", "DX"}


def test_highdicom_reads_the_frames(folder):
    highdicom = pytest.importorskip("highdicom")
    out, written = folder
    image = highdicom.imread(out / written.cases[0].image)
    frame = image.get_raw_frame(1)
    stored = pydicom.dcmread(out / written.cases[0].image).PixelData
    assert bytes(frame) == stored[: len(frame)]


def test_our_own_reader_gives_back_the_radiograph(folder):
    from kdistill_core.imaging import read_radiograph

    out, written = folder
    for case in written.cases[:4]:
        read, simulated = read_radiograph(out / case.image), simulate(case.seed, 80, 64).radiograph
        np.testing.assert_array_equal(read.pixels, simulated.pixels)
        for name in ("inverted", "modality", "view_position", "patient_orientation", "study_uid", "instance_uid"):
            assert getattr(read, name) == getattr(simulated, name), name
        assert read.spacing == simulated.spacing


def test_tables_hold_the_truth_of_image_and_text(folder):
    out, written = folder
    for name, attribute in (("labels.csv", "findings"), ("reported.csv", "reported")):
        with (out / name).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert list(rows[0]) == ["id", *(condition.value for condition in CONDITIONS)]
        for row, case in zip(rows, written.cases, strict=True):
            assert row["id"] == case.id
            for finding in getattr(case, attribute):
                cell = row[finding.condition.value]
                assert state_of_code(float(cell) if cell else None) is finding.state
            if name == "labels.csv":
                assert State.BLANK not in {finding.state for finding in case.findings}


def test_the_truth_survives_json(folder):
    out, written = folder
    assert from_json((out / "truth.json").read_bytes(), FolderTruth) == written


def test_a_square_size_and_a_first_seed_are_enough(tmp_path):
    written = write_cases(1, 48, 77, tmp_path / "new" / "folder")
    assert (written.cases[0].rows, written.cases[0].columns, written.cases[0].seed) == (48, 48, 77)


def test_no_cases_are_refused(tmp_path):
    with pytest.raises(PhantomError, match="0 cases"):
        write_cases(0, 64, 1, tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(PhantomError, match="file"):
        write_cases(1, 64, 1, blocked)
