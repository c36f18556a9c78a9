"""NIfTI, MetaImage and NRRD files that hold a single picture, through SimpleITK."""

from __future__ import annotations

import gzip
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from kdistill_core.imaging.color import gray_of
from kdistill_core.imaging.entries import ImageEntry
from kdistill_core.imaging.errors import ImagingError
from kdistill_core.imaging.limits import MAX_INFLATED_BYTES, check_size
from kdistill_core.imaging.volume_length import is_complete, least_length
from kdistill_core.records import ImageSource, Radiograph, Spacing, SpacingSource

# SimpleITK is typed only in part.
_sitk: Any = SimpleITK

_GZIP = b"\x1f\x8b"
# World axes of SimpleITK, positive towards the patient's left, back and head.
_LEFT, _BACK, _HEAD = 0, 1, 2
_RAS_IDENTITY = np.diag([-1.0, -1.0, 1.0])


def read_volume(source: ImageSource, sha256: str) -> Radiograph:
    """Return the picture in a volume file, turned so that a frontal view stands upright. Raises ImagingError.

    A picture that lies in the coronal plane by its header is turned to show the patient's left on the right and the
    head above; one in the sagittal or axial plane likewise by custom. The headers do not say whether a spacing was
    corrected for magnification, so it counts as the detector's; 1 by 1 mm is what writers put who know none.
    """
    path = Path(source.path)
    if source.frame != 0:
        raise ImagingError(f"{path.name} has one picture; picture {source.frame + 1} was asked for.")
    with _opened(path) as reader:
        axes = _picture_axes(reader)
        turn = _turn(reader, axes)
        try:
            image = reader.Execute()
        except RuntimeError as error:
            raise ImagingError(f"{path.name} is truncated or damaged.", "Copy the file again.") from error
    stored = _picture(_sitk.GetArrayFromImage(image), image.GetNumberOfComponentsPerPixel(), path.name)
    bits = 8 * stored.dtype.itemsize if stored.dtype.kind in "iu" and stored.dtype.itemsize <= 2 else 16
    spacing_x, spacing_y = (image.GetSpacing()[axis] for axis in axes)
    if turn.transposed:
        spacing_x, spacing_y = spacing_y, spacing_x
    return Radiograph(
        pixels=np.ascontiguousarray(turn.apply(stored), dtype=np.float32),
        source=source,
        sha256=sha256,
        bits_stored=bits,
        spacing=_spacing(spacing_y, spacing_x),
        patient_orientation=("L", "F") if turn.coronal else None,
    )


def volume_entry(path: Path) -> ImageEntry:
    """Return what the header of a volume file says. Raises ImagingError."""
    with _opened(path) as reader:
        axes = _picture_axes(reader)
        columns, rows = (reader.GetSize()[axis] for axis in axes)
        if _turn(reader, axes).transposed:
            columns, rows = rows, columns
    return ImageEntry(source=ImageSource(str(path)), rows=rows, columns=columns)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Yield a reader that has read the header only, its declared size checked. Raises ImagingError."""
    # Its warnings go to the terminal and name nothing that is not checked here.
    _sitk.ProcessObject.SetGlobalWarningDisplay(False)
    with _unpacked(path) as file:
        with file.open("rb") as stream:
            head = stream.read(4096)
        damaged = ImagingError(f"{path.name} has a damaged header.", "Copy the file again from where it came.")
        if not is_complete(head):
            raise damaged
        reader = _sitk.ImageFileReader()
        reader.SetFileName(str(file))
        try:
            reader.ReadImageInformation()
        except RuntimeError as error:
            raise damaged from error
        sides = [side for side in reader.GetSize() if side != 1]
        if len(sides) != 2:
            what = "no picture" if len(sides) < 2 else f"a volume of {' by '.join(map(str, sides))} voxels"
            raise ImagingError(f"{path.name} holds {what}, not a single picture.", "Choose a radiograph.")
        check_size(path.name, sides[1], sides[0])
        needed = least_length(head, sides[0] * sides[1])
        if file.stat().st_size < needed:
            raise ImagingError(
                f"{path.name} is truncated or damaged: its header calls for {needed:,} bytes, "
                f"{file.stat().st_size:,} are there.",
                "Copy the file again from where it came.",
            )
        yield reader


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """Yield the file, for one packed by gzip an unpacked copy that lasts as long as the context.

    The NIfTI library would unpack by itself, but believes truncated data, and takes image.nii for image.nii.gz where
    both stand in one folder.
    """
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
    if not packed:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="kdistill-") as folder:
        copy = Path(folder) / "image.nii"
        try:
            with gzip.open(path) as source, copy.open("wb") as target:
                while chunk := source.read(2**20):
                    if target.tell() > MAX_INFLATED_BYTES:
                        raise ImagingError(
                            f"{path.name} inflates to more than {MAX_INFLATED_BYTES:,} bytes.",
                            "No radiograph is that large; it was not read, to protect memory.",
                        )
                    target.write(chunk)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ImagingError(
                f"{path.name} is truncated or damaged.", "Copy the file again from where it came."
            ) from error
        yield copy


def _picture_axes(reader: Any) -> tuple[int, int]:
    first, second = (axis for axis, side in enumerate(reader.GetSize()) if side != 1)
    return first, second


def _picture(values: NDArray[Any], components: int, name: str) -> NDArray[Any]:
    """Return [rows, columns] of an array with axes in reverse order and the components last."""
    if components == 1:
        picture = np.squeeze(values)
    elif components in (3, 4) and values.dtype == np.uint8:
        picture = gray_of(np.squeeze(values)[..., :3], name)
    else:
        raise ImagingError(f"{name} holds {components} values a pixel.", "Export the image again as gray values.")
    if picture.dtype.kind == "f" and not np.isfinite(picture).all():
        raise ImagingError(f"{name} holds values that are not numbers.", "Export the image again.")
    return picture


class _Turn:
    """How a stored picture is transposed and flipped to stand upright."""

    def __init__(self, horizontal: NDArray[np.float64], vertical: NDArray[np.float64]) -> None:
        """horizontal, vertical: where the columns and the rows lead, float64 [3], towards left, back and head."""
        normal = int(np.argmax(np.abs(np.cross(horizontal, vertical))))
        across = _BACK if normal == _LEFT else _LEFT
        self.coronal = normal == _BACK
        self.transposed = bool(abs(vertical[across]) > abs(horizontal[across]))
        if self.transposed:
            horizontal, vertical = vertical, horizontal
        self._flip_columns = bool(horizontal[across] < 0)
        # Rows lead to the feet, or in an axial slice to the back.
        self._flip_rows = bool(vertical[_BACK] < 0) if normal == _HEAD else bool(vertical[_HEAD] > 0)

    def apply(self, stored: NDArray[Any]) -> NDArray[Any]:
        picture = stored.T if self.transposed else stored
        picture = picture[::-1] if self._flip_rows else picture
        return picture[:, ::-1] if self._flip_columns else picture


def _turn(reader: Any, axes: tuple[int, int]) -> _Turn:
    dimension = reader.GetDimension()
    direction = np.eye(3)
    if dimension >= 3:
        direction = np.array(reader.GetDirection()).reshape(dimension, dimension)[:3]
        # NIfTI's identity is what a writer leaves who knows of no orientation; the picture stays as stored.
        if np.array_equal(direction[:, :3], _RAS_IDENTITY) and set(reader.GetSpacing()) == {1.0}:
            direction = np.eye(3)
    return _Turn(direction[:, axes[0]], direction[:, axes[1]])


def _spacing(row: float, column: float) -> Spacing:
    known = row > 0 and column > 0 and (row, column) != (1.0, 1.0)
    return Spacing(float(row), float(column), SpacingSource.DETECTOR) if known else Spacing()
