"""NIfTI, MetaImage and NRRD files that hold a single picture, through SimpleITK."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - its customary name

from kdistill_core.imaging.entries import ImageEntry
from kdistill_core.imaging.errors import ImagingError
from kdistill_core.imaging.limits import check_size
from kdistill_core.records import ImageSource, Radiograph, Spacing, SpacingSource


def read_volume(source: ImageSource, sha256: str) -> Radiograph:
    """Return the picture in a volume file. Raises ImagingError for anything deeper than one slice."""
    path = Path(source.path)
    reader = _header(path)
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise ImagingError(f"{path.name} is truncated or damaged.", "Copy the file again.") from error
    values = np.squeeze(sitk.GetArrayFromImage(image)).astype(np.float32)
    spacing = image.GetSpacing()
    return Radiograph(
        pixels=values,
        source=source,
        sha256=sha256,
        bits_stored=16,
        spacing=Spacing(spacing[1], spacing[0], SpacingSource.DETECTOR),
    )


def volume_entry(path: Path) -> ImageEntry:
    """Return what the header of a volume file says. Raises ImagingError."""
    reader = _header(path)
    columns, rows, *_ = (side for side in reader.GetSize() if side > 1)
    return ImageEntry(source=ImageSource(str(path)), rows=rows, columns=columns)


def _header(path: Path) -> sitk.ImageFileReader:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise ImagingError(f"{path.name} has a damaged header.", "Copy the file again.") from error
    sides = [side for side in reader.GetSize() if side > 1]
    if len(sides) != 2:
        raise ImagingError(f"{path.name} holds a volume, not a single picture.", "Choose a radiograph.")
    check_size(path.name, sides[1], sides[0])
    return reader
