"""Folders, files and discs to entries: recursive, in order, and never fatal."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kdistill_core.imaging import ImageEntry, ImagingError, SkippedFile, find_images, read_radiograph
from kdistill_core.records import Patient

PICTURE = np.arange(24 * 16, dtype=np.uint16).reshape(24, 16)


def test_headers_become_entries(write_dicom):
    path = write_dicom(
        np.stack([PICTURE] * 3),
        Modality="DX",
        PatientName="Doe^Jane",
        PatientID="7",
        PatientSex="F",
        PatientBirthDate="19400305",
        PatientAge="064Y",
        StudyInstanceUID="1.2.3",
        StudyDate="20040826",
        StudyDescription="THORAX",
        ViewPosition="PA",
        InstanceNumber=3,
    )
    (entry,) = find_images([path])
    assert isinstance(entry, ImageEntry)
    assert entry.patient == Patient("7", "Doe^Jane", "F", "19400305", "064Y")
    assert (entry.study_uid, entry.study_date, entry.study_description) == ("1.2.3", "20040826", "THORAX")
    assert (entry.modality, entry.view_position, entry.frames, entry.instance_number) == ("DX", "PA", 3, 3)
    assert (entry.rows, entry.columns) == (24, 16)
    radiograph = read_radiograph(entry.source)
    assert radiograph.patient == entry.patient
    assert radiograph.frames == 3


def test_a_folder_is_searched_in_depth_and_in_order(write_dicom, tmp_path):
    (tmp_path / "b" / "deep").mkdir(parents=True)
    Image.fromarray(PICTURE.astype(np.uint8)).save(tmp_path / "b" / "deep" / "x.png")
    write_dicom(PICTURE, name="a.dcm")
    (tmp_path / "c.txt").write_text("notes")
    (tmp_path / ".hidden").write_text("hidden")
    found = list(find_images([tmp_path]))
    assert [type(item) for item in found] == [ImageEntry, SkippedFile, ImageEntry]
    assert found[0].source.path.endswith("a.dcm")
    assert "not an image" in found[1].reason
    assert found[2].source.path.endswith(str(Path("b") / "deep" / "x.png"))


def test_an_empty_folder_is_said_to_be_empty(tmp_path):
    assert list(find_images([tmp_path])) == [SkippedFile(str(tmp_path), "The folder holds no files.")]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root to become another user")
def test_a_closed_folder_is_reported_to_a_user_without_permission(write_dicom, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o700)
    program = (
        "import os, sys; from kdistill_core.imaging import find_images\n"
        "os.setuid(65534)\n"
        "print([item.reason for item in find_images([sys.argv[1]])])"
    )
    # As many folders above as pytest has made, which are more where it tests in several processes.
    made = Path(os.environ.get("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())).resolve()
    for folder in (tmp_path, *tmp_path.parents):
        if made in folder.parents:
            folder.chmod(0o755)
    run = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "closed")], capture_output=True, text=True, check=False
    )
    assert "The folder may not be opened: Permission denied." in run.stdout, run.stderr


def test_a_folder_that_cannot_be_listed_is_reported(tmp_path, monkeypatch):
    def refuse(_path):
        raise PermissionError(13, "Permission denied", str(tmp_path))

    monkeypatch.setattr(os, "scandir", refuse)
    (skipped,) = find_images([tmp_path])
    assert skipped == SkippedFile(str(tmp_path), "The folder may not be opened: Permission denied.")


def test_missing_and_damaged_files_are_reported_not_raised(tmp_path, pydicom_files):
    found = list(find_images([tmp_path / "none", pydicom_files / "MR_truncated.dcm", pydicom_files / "reportsi.dcm"]))
    assert all(isinstance(item, SkippedFile) for item in found)
    assert ["does not exist" in found[0].reason, "truncated" in found[1].reason, "not an image" in found[2].reason]


def test_a_disc_directory_stands_for_its_images(pydicom_files, tmp_path):
    shutil.copytree(pydicom_files / "dicomdirtests", tmp_path / "disc")
    found = list(find_images([tmp_path / "disc" / "DICOMDIR"]))
    listed = {item.source.path if isinstance(item, ImageEntry) else item.path for item in found}
    present = {str(path) for path in (tmp_path / "disc").rglob("*") if path.is_file() and "DICOMDIR" not in path.name}
    assert len(found) == 31
    assert len(listed & present) >= 7
    for item in found:
        if isinstance(item, SkippedFile):
            assert "does not exist" in item.reason
        else:
            assert item.modality in {"CR", "CT", "MR"}


def test_a_disc_copied_in_lower_case_is_found(pydicom_files, tmp_path):
    shutil.copytree(pydicom_files / "dicomdirtests", tmp_path / "disc")
    upper = next(path for path in (tmp_path / "disc").iterdir() if path.is_dir())
    upper.rename(upper.with_name(upper.name.lower()))
    found = list(find_images([tmp_path / "disc" / "DICOMDIR"]))
    assert any(f"{os.sep}{upper.name.lower()}{os.sep}" in getattr(item, "source", item).path for item in found)


def test_every_file_of_pydicom_ends_in_an_image_or_a_reason(pydicom_files):
    for item in find_images([pydicom_files]):
        if isinstance(item, SkippedFile):
            assert item.reason.endswith((".", ")"))
            continue
        with contextlib.suppress(ImagingError):
            read_radiograph(item.source)


def test_importing_the_package_loads_nothing_heavy():
    program = (
        "import sys, kdistill_core.imaging, kdistill_core.imaging.display, kdistill_core.imaging.model_input, "
        "kdistill_core.imaging.screening\n"
        "print([name for name in ('torch', 'pydicom', 'SimpleITK', 'PIL', 'scipy', 'pandas') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_reading_never_loads_torch(write_dicom):
    program = (
        "import sys; from kdistill_core.imaging import read_radiograph; from kdistill_core.imaging import screening\n"
        "screening.screen(read_radiograph(sys.argv[1])); print('torch' in sys.modules)"
    )
    path = write_dicom(np.random.default_rng(0).integers(0, 4096, (128, 128), dtype=np.uint16))
    run = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
