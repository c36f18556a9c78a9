"""The directory of a DICOM disc: which image files it lists (PS3.3 F, PS3.10 8)."""

from __future__ import annotations

from pathlib import Path

from pydicom.dataset import Dataset

from kdistill_core.imaging.dicom_file import opened_dicom
from kdistill_core.imaging.errors import ImagingError


def referenced_files(directory: Path) -> tuple[Path, ...]:
    """Return the files that the image records of a DICOMDIR name, in its order. Raises ImagingError.

    Discs are written in capitals and often copied in lower case, so names match without regard to case. A record
    that leads outside the disc is passed over.
    """
    with opened_dicom(directory) as file:
        records = file.dataset.get("DirectoryRecordSequence")
        if records is None:
            raise ImagingError(f"{directory.name} lists no files.", "Open the folder around it instead.")
        parts = [_file_id(record) for record in records if str(record.get("DirectoryRecordType", "")) == "IMAGE"]
    root = directory.parent
    return tuple(_locate(root, names) for names in parts if names and not {"..", "."} & set(names))


def _file_id(record: Dataset) -> tuple[str, ...]:
    value = record.get("ReferencedFileID")
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(str(part) for part in value)


def _locate(root: Path, names: tuple[str, ...]) -> Path:
    """Return the file under ``root``; where a name is not found as written, any spelling of its case will do."""
    path = root
    for name in names:
        exact = path / Path(name).name
        if not exact.exists() and path.is_dir():
            matches = sorted(other for other in path.iterdir() if other.name.lower() == name.lower())
            exact = matches[0] if matches else exact
        path = exact
    return path
