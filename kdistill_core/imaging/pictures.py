"""PNG, JPEG and TIFF pictures of 8 and 16 bits, through Pillow."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from kdistill_core.imaging.color import gray_of
from kdistill_core.imaging.entries import ImageEntry
from kdistill_core.imaging.errors import ImagingError
from kdistill_core.imaging.limits import check_size
from kdistill_core.records import ImageSource, Radiograph

_FORMATS = ("PNG", "JPEG", "TIFF")
_COLOR_MODES = {"RGB", "RGBA", "RGBX", "P", "PA", "CMYK", "YCbCr", "LAB", "HSV", "RGBa"}
_PHOTOMETRIC_TAG = 262
_WHITE_IS_ZERO = 0


def read_picture(source: ImageSource, sha256: str) -> Radiograph:
    """Return frame ``source.frame`` of a picture. Raises ImagingError.

    Pictures say nothing trustworthy of spacing (a resolution in dots per inch is the printer's), so there is none.
    """
    path = Path(source.path)
    with _opened(path) as image:
        frames = _frames(image)
        if not 0 <= source.frame < frames:
            raise ImagingError(f"{path.name} has {frames} pages; page {source.frame + 1} was asked for.")
        image.seek(source.frame)
        check_size(path.name, image.height, image.width)
        inverted = _stored_inverted(image)
        upright = ImageOps.exif_transpose(image)
        values, bits = _gray_values(upright, path.name)
    return Radiograph(pixels=values, source=source, sha256=sha256, bits_stored=bits, frames=frames, inverted=inverted)


def picture_entry(path: Path) -> ImageEntry:
    """Return what the header of a picture says. Raises ImagingError."""
    with _opened(path) as image:
        check_size(path.name, image.height, image.width)
        return ImageEntry(source=ImageSource(str(path)), rows=image.height, columns=image.width, frames=_frames(image))


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open a picture and turn whatever Pillow finds wrong with it, then or later, into an ImagingError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            # Pillow reports a damaged tag as a warning and goes on; what matters here is checked here.
            warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
            with Image.open(path, formats=_FORMATS) as image:
                yield image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImagingError(
            f"{path.name} declares a picture too large to be a radiograph.", "It was not read, to protect memory."
        ) from error
    except UnidentifiedImageError as error:
        raise ImagingError(
            f"{path.name} starts like a picture but is damaged.", "Copy the file again from where it came."
        ) from error
    except ImagingError:
        raise
    except Exception as error:  # Pillow raises whatever a damaged header leads it to, TypeError included
        raise ImagingError(
            f"{path.name} cannot be decoded: {_plain(error)}.", "The file is truncated or damaged; copy it again."
        ) from error


def _frames(image: Image.Image) -> int:
    return int(getattr(image, "n_frames", 1)) if image.format == "TIFF" else 1


def _stored_inverted(image: Image.Image) -> bool:
    """Whether low values mean white and Pillow has left it so, as it does for 16-bit TIFF."""
    tags: Any = getattr(image, "tag_v2", {})
    return image.mode.startswith(("I", "F")) and tags.get(_PHOTOMETRIC_TAG) == _WHITE_IS_ZERO


def _gray_values(image: Image.Image, name: str) -> tuple[NDArray[np.float32], int]:
    """Return float32 [rows, columns] and the significant bits. Raises ImagingError for color."""
    if image.mode in _COLOR_MODES:
        return gray_of(np.asarray(image.convert("RGB")), name).astype(np.float32), 8
    if image.mode == "LA":
        image = image.getchannel("L")
    if image.mode == "1":
        image = image.convert("L")
    values = np.asarray(image)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ImagingError(f"{name} holds values that are not numbers.", "Export the image again as 16-bit PNG.")
    if values.dtype.itemsize <= 2:
        return values.astype(np.float32), 8 * values.dtype.itemsize
    return values.astype(np.float32), max(1, int(np.ptp(values)).bit_length())


def _plain(error: Exception) -> str:
    return str(error).strip().rstrip(".") or type(error).__name__
