"""Miniature DICOM files of known content, and the test files that come inside the pydicom package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom.data
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ComputedRadiographyImageStorage, ExplicitVRBigEndian, ExplicitVRLittleEndian, generate_uid

PYDICOM_FILES = Path(pydicom.data.__file__).parent / "test_files"


@pytest.fixture(scope="session")
def pydicom_files() -> Path:
    """The folder of test files physically inside pydicom; its own look-up would download those that are not."""
    return PYDICOM_FILES


@pytest.fixture
def write_dicom(tmp_path: Path) -> Callable[..., Path]:
    """A writer of CR images: ``write_dicom(stored, photometric=..., Keyword=value)``; None leaves an element out."""

    def write(
        stored: np.ndarray,
        *,
        name: str = "image.dcm",
        syntax: UID = ExplicitVRLittleEndian,
        photometric: str | None = "MONOCHROME2",
        **elements: Any,
    ) -> Path:
        path = tmp_path / name
        dataset = _image_dataset(path, stored, syntax, {"PhotometricInterpretation": photometric, **elements})
        order = ">" if syntax == ExplicitVRBigEndian else "<"
        dataset.PixelData = stored.astype(stored.dtype.newbyteorder(order)).tobytes()
        dataset["PixelData"].VR = "OW" if stored.dtype.itemsize > 1 else "OB"
        dataset.save_as(path, enforce_file_format=True)
        return path

    return write


@pytest.fixture
def lut_item() -> Callable[..., Dataset]:
    """A maker of items of a modality or VOI LUT sequence."""

    def make(first: int, values: list[int], bits: int, explanation: str = "") -> Dataset:
        item = Dataset()
        item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [len(values), first, bits])
        item.add_new("LUTData", "US", values)
        if explanation:
            item.LUTExplanation = explanation
        return item

    return make


def _image_dataset(path: Path, stored: np.ndarray, syntax: UID, elements: dict[str, Any]) -> FileDataset:
    dataset = FileDataset(str(path), {}, file_meta=FileMetaDataset(), preamble=b"\0" * 128)
    dataset.set_original_encoding(syntax.is_implicit_VR, syntax.is_little_endian)
    uid = generate_uid(entropy_srcs=["kdistill-tests"])
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = uid
    bits = stored.dtype.itemsize * 8
    values: dict[str, Any] = {
        "SOPClassUID": ComputedRadiographyImageStorage,
        "SOPInstanceUID": uid,
        "Modality": "CR",
        "Rows": stored.shape[-2],
        "Columns": stored.shape[-1],
        "SamplesPerPixel": 1,
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": (elements.get("BitsStored") or bits) - 1,
        "PixelRepresentation": int(stored.dtype.kind == "i"),
    }
    if stored.ndim == 3:
        values["NumberOfFrames"] = stored.shape[0]
    for keyword, value in (values | elements).items():
        if value is not None:
            setattr(dataset, keyword, value)
    return dataset
