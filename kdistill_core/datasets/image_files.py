"""Which image files lie in a data set's folders, found by the names that its tables use for them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from PIL import Image

from kdistill_core.datasets.contract import Ledger
from kdistill_core.datasets.remark_kinds import MISSING_IMAGE, UNLISTED_IMAGE
from kdistill_core.records import ImageSource

_SUFFIXES = (".png", ".jpg", ".jpeg", ".dcm", ".dicom", ".tif", ".tiff")


def image_name(name: str) -> str:
    """Return a file's name without its folder and its endings: ``1_IM-0001-3001`` for ``a/1_IM-0001-3001.dcm.png``.

    Copies of a data set change the format of its images and keep their names.
    """
    name = name.replace("\\", "/").rsplit("/", 1)[-1]
    while name.lower().endswith(_SUFFIXES):
        name = name.rsplit(".", 1)[0]
    return name


def is_image_file(name: str) -> bool:
    """Return whether a file has the ending of an image."""
    return name.lower().endswith(_SUFFIXES)


def picture_size(path: Path) -> tuple[int, int] | None:
    """Return a picture's columns and rows from its header; None where it is missing or no picture."""
    try:
        with Image.open(path) as picture:
            return picture.size
    except (OSError, Image.DecompressionBombError):
        return None


def _below(folders: Iterable[Path]) -> Iterator[str]:
    """Yield the paths of all image files, links followed: images are often linked to from another disk."""
    visited: set[str] = set()
    for folder in folders:
        for parent, children, names in os.walk(folder, followlinks=True):
            real = os.path.realpath(parent)
            if real in visited:
                children.clear()
                continue
            visited.add(real)
            children.sort()
            for name in sorted(filter(is_image_file, names)):
                yield f"{parent}{os.sep}{name}"


class ImageFiles:
    """The image files below some folders, by name; of two with the same name the first in order of folder and path."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._paths: dict[str, str] = {}
        for path in _below(folders):
            self._paths.setdefault(image_name(path), path)
        self._unused = dict.fromkeys(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def find(self, name: str, *others: str) -> Path | None:
        """Return the file of the image that a table calls ``name``, or None where there is none.

        others: what else its file may be called, tried in this order.
        """
        keys = [image_name(one) for one in (name, *others)]
        for key in keys:
            self._unused.pop(key, None)
        path = next((self._paths[key] for key in keys if key in self._paths), None)
        return None if path is None else Path(path)

    def source(self, name: str, expected: Path, ledger: Ledger, *others: str) -> ImageSource:
        """Return where an image lies; ``expected``, with a note, where its file is missing."""
        path = self.find(name, *others)
        if path is None:
            ledger.note(*MISSING_IMAGE, case=image_name(name))
        return ImageSource(str(path or expected))

    def note_unlisted(self, ledger: Ledger) -> None:
        """Note every file that nobody has asked for."""
        for name in self._unused:
            ledger.note(*UNLISTED_IMAGE, case=name)
