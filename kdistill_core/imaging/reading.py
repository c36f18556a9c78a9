"""One door for every file: a path in, a radiograph out."""

from __future__ import annotations

import hashlib
from pathlib import Path

from kdistill_core.imaging.formats import FileFormat, detect
from kdistill_core.records import ImageSource, Radiograph


def read_radiograph(source: ImageSource | Path | str) -> Radiograph:
    """Return one frame of the image at ``source``; a path means its first frame.

    Raises ImagingError, which names the file, what is wrong with it and what to do.
    """
    if not isinstance(source, ImageSource):
        source = ImageSource(path=str(source))
    path = Path(source.path)
    # The readers are imported here because their libraries take a second to load.
    match detect(path):
        case FileFormat.DICOM:
            from kdistill_core.imaging.dicom_reader import read_dicom

            return read_dicom(source, sha256_of(path))
        case FileFormat.PICTURE:
            from kdistill_core.imaging.pictures import read_picture

            return read_picture(source, sha256_of(path))
        case FileFormat.VOLUME:
            from kdistill_core.imaging.volumes import read_volume

            return read_volume(source, sha256_of(path))


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
