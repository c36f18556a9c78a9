"""Files, folders and discs to the images in them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from kdistill_core.imaging.entries import ImageEntry, SkippedFile
from kdistill_core.imaging.errors import ImagingError
from kdistill_core.imaging.formats import FileFormat, detect


def find_images(paths: Iterable[Path | str]) -> Iterator[ImageEntry | SkippedFile]:
    """Yield what ``paths`` hold, folders recursively and in name order; headers are read, pixels are not.

    A file that is no image, cannot be read or may not be read is yielded as a SkippedFile with the reason, as is a
    folder that is empty or closed; nothing raises. A DICOMDIR that was named itself stands for the images it lists.
    """
    for path in map(Path, paths):
        if path.is_dir():
            yield from _in_folder(path)
        elif path.name.upper() == "DICOMDIR":
            yield from _in_directory_file(path)
        else:
            yield _entry(path)


def _in_folder(folder: Path) -> Iterator[ImageEntry | SkippedFile]:
    closed: list[SkippedFile] = []

    def note(error: OSError) -> None:
        closed.append(SkippedFile(str(error.filename), f"The folder may not be opened: {error.strerror}."))

    found = False
    for directory, subfolders, names in os.walk(folder, onerror=note):
        subfolders.sort()
        for name in sorted(names):
            # The images that a DICOMDIR lists lie beside it and are met anyway.
            if name.upper() != "DICOMDIR" and not name.startswith("."):
                found = True
                yield _entry(Path(directory) / name)
    yield from closed
    if not found and not closed:
        yield SkippedFile(str(folder), "The folder holds no files.")


def _in_directory_file(path: Path) -> Iterator[ImageEntry | SkippedFile]:
    from kdistill_core.imaging.dicomdir import referenced_files

    try:
        files = referenced_files(path)
    except ImagingError as error:
        yield SkippedFile(str(path), str(error))
        return
    if not files:
        yield SkippedFile(str(path), "The disc directory lists no images.")
    for file in files:
        yield _entry(file)


def _entry(path: Path) -> ImageEntry | SkippedFile:
    try:
        match detect(path):
            case FileFormat.DICOM:
                from kdistill_core.imaging.dicom_reader import dicom_entry

                return dicom_entry(path)
            case FileFormat.PICTURE:
                from kdistill_core.imaging.pictures import picture_entry

                return picture_entry(path)
            case FileFormat.VOLUME:
                from kdistill_core.imaging.volumes import volume_entry

                return volume_entry(path)
    except ImagingError as error:
        return SkippedFile(str(path), str(error))
