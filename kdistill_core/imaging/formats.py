"""What a file is by its first bytes, whatever its name says."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from kdistill_core.imaging.errors import ImagingError

# DICOM's magic stands behind a preamble of 128 bytes, NIfTI's at 344; the longest look needed.
_HEAD_BYTES = 512


class FileFormat(StrEnum):
    """A family of files, by the reader it needs."""

    DICOM = "DICOM"
    PICTURE = "PNG, JPEG or TIFF picture"
    VOLUME = "NIfTI, MetaImage or NRRD volume"


_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_FOREIGN = {
    b"PK\x03\x04": "a ZIP archive",
    b"PK\x05\x06": "an empty ZIP archive",
    b"%PDF": "a PDF document",
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    b"GIF8": "a GIF picture",
    b"BM": "a BMP picture",
    b"RIFF": "a RIFF container such as WebP or AVI",
    b"\x7fELF": "a program",
    b"MZ": "a program",
    b"\xff\x4f\xff\x51": "a bare JPEG 2000 codestream",
    b"\x00\x00\x00\x0cjP  ": "a JPEG 2000 picture",
    b"\x89HDF": "an HDF5 file",
    b"SQLite format 3": "a SQLite database",
    b"{": "a JSON text",
    b"<": "an XML or HTML text",
}
_ADVICE = "Choose a DICOM, PNG, JPEG, TIFF, NIfTI, MHA or NRRD file."


def detect(path: Path) -> FileFormat:
    """Return what ``path`` holds. Raises ImagingError for anything that is no image, empty or cannot be opened."""
    head = _read_head(path)
    if not head:
        raise ImagingError(f"{path.name} is empty.", "Copy the file again from where it came.")
    if head[128:132] == b"DICM":
        return FileFormat.DICOM
    if head.startswith(_PICTURES):
        return FileFormat.PICTURE
    if _is_volume(head, path):
        return FileFormat.VOLUME
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            raise ImagingError(f"{path.name} is {what}, not an image that can be read here.", _foreign_advice(what))
    if _is_bare_dicom(head):
        return FileFormat.DICOM
    raise ImagingError(f"{path.name} is not an image in a format that is known here.", _ADVICE)


def _read_head(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise ImagingError(f"{path.name or path} is a folder, not an image.", "Open it as a folder instead.")
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except FileNotFoundError as error:
        raise ImagingError(f"{path.name} does not exist.", "Check the path.") from error
    except PermissionError as error:
        raise ImagingError(
            f"{path.name} may not be read by this user.", "Ask for read permission, or copy the file."
        ) from error
    except OSError as error:
        raise ImagingError(
            f"{path.name} cannot be read: {error.strerror}.", "Check the disk or the network."
        ) from error


def _foreign_advice(what: str) -> str:
    return "Unpack it and open what is inside." if "archive" in what else _ADVICE


def _is_volume(head: bytes, path: Path) -> bool:
    if head.startswith((b"NRRD000", b"ObjectType", b"NDims")):
        return True
    if head[344:348] in (b"n+1\x00", b"ni1\x00") or head[4:8] in (b"n+2\x00", b"ni2\x00"):
        return True
    # Only NIfTI is customarily packed as a whole; its reader checks what is inside.
    return head.startswith(b"\x1f\x8b") and path.name.lower().endswith(".nii.gz")


def _is_bare_dicom(head: bytes) -> bool:
    """Whether ``head`` may be a data set without preamble: it starts with a low group of the standard."""
    little, big = int.from_bytes(head[:2], "little"), int.from_bytes(head[:2], "big")
    return len(head) >= 8 and (little in (0x0002, 0x0008) or big in (0x0002, 0x0008))
