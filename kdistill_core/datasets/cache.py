"""Images prepared once and read from a memory map ever after, by any number of processes.

What is asked for is looked up in a store (:mod:`kdistill_core.datasets.pixel_store`) by its content, and only what is
not there is prepared: an image that changed is prepared again; one that was moved, or is in two data sets, is not.
One process prepares at a time, with as many worker processes as it is given; others that lack something wait for it
and then find it done. Each worker has one image in work, and that is what a kill loses. An image that cannot be
prepared is left out with the reason, and never stops the rest.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kdistill_core.datasets.contract import DatasetError
from kdistill_core.datasets.pixel_store import About, PixelStore, mapped_pixels
from kdistill_core.datasets.workers import Original, Prepared, Refusal, prepare_all
from kdistill_core.records import Finding, Study

Report = Callable[[int, int], None]
_logger = logging.getLogger(__name__)


class Pixels(Protocol):
    """Images in the order of a data set, uint8 [S, S] each; an array [N, S, S] is one."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int | slice, /) -> NDArray[np.uint8]: ...


@dataclass(frozen=True)
class LeftOut:
    """An image that could not be prepared, by its study's id, and why."""

    id: str
    reason: str


@dataclass(frozen=True, eq=False)
class PixelCache:
    """Prepared images and what is known of them.

    pixels: uint8 [N, S, S], the model input's [0, 1] times 255. studies: one an image, in the same order. left_out:
    the images that could not be prepared, which are in neither.
    """

    pixels: Pixels
    studies: tuple[Study, ...]
    left_out: tuple[LeftOut, ...] = ()

    def __len__(self) -> int:
        return len(self.studies)


class MappedPixels:
    """Images of a store in the order of a data set.

    One image is a view of the memory map, without a copy. Sent to another process, the map is opened there again.
    """

    def __init__(self, path: Path, size: int, places: NDArray[np.int64]) -> None:
        self._path, self._size, self._places = path, size, places
        self._images = mapped_pixels(path, size)

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int | slice) -> NDArray[np.uint8]:
        """Return image ``index`` as uint8 [S, S], read-only; of a slice, a copy of its images [n, S, S]."""
        return self._images[self._places[index]]

    def is_whole(self) -> bool:
        """Return whether the file reaches as far as the last of the images."""
        return bool(np.all(self._places < len(self._images)))

    def __reduce__(self) -> tuple[object, ...]:
        return MappedPixels, (self._path, self._size, self._places)


@dataclass(frozen=True, eq=False)
class Gathered:
    """What became of the originals asked for, in their order; None stands in ``findings`` for one that was refused.

    pixels: those of the others. refusals: why each of the refused was, by its number.
    """

    pixels: MappedPixels
    findings: tuple[tuple[Finding, ...] | None, ...]
    refusals: dict[int, str]


def gather(
    root: Path,
    about: About,
    originals: Sequence[Original],
    workers: int = 1,
    report: Report | None = None,
) -> Gathered:
    """Return ``originals`` prepared as ``about`` says, from a store under ``root``; what is not there is prepared now.

    workers: processes that prepare; 1 prepares in this one. report: called with what is done and the total. Raises
    DatasetError where nothing could be prepared and where the store cannot be written.
    """
    store = PixelStore(root, about)
    keys = [original.known_key(store.files) for original in originals]
    refusals: dict[int, str] = {}
    if not all(key in store.images for key in keys) or store.needs_checking():
        refusals = _prepare_missing(store, originals, keys, workers, report)
    lines = [None if key is None else store.images.get(key) for key in keys]
    if originals and not any(lines):
        raise DatasetError(
            f"None of the {len(originals)} images could be prepared; the first: {refusals[min(refusals)]}",
            "Check that the data set is whole, for instance with `kdistill data check`.",
        )
    places = np.array([line.place for line in lines if line is not None], dtype=np.int64)
    findings = tuple(None if line is None else line.findings for line in lines)
    pixels = MappedPixels(store.pixel_file, about.size, places)
    if not pixels.is_whole():
        raise DatasetError(
            f"{store.pixel_file} is shorter than its index says.",
            f"Run `kdistill data cache {root}`; what is lost will then be prepared again.",
        )
    return Gathered(pixels, findings, refusals)


def _prepare_missing(
    store: PixelStore,
    originals: Sequence[Original],
    keys: list[str | None],
    workers: int,
    report: Report | None,
) -> dict[int, str]:
    """Prepare what is not there, filling in ``keys``; return the refusals by number."""
    refusals: dict[int, str] = {}
    with store.writing() as writer:
        # Another process may have prepared them while this one waited.
        keys[:] = [original.known_key(store.files) for original in originals]
        missing = [number for number, key in enumerate(keys) if key not in store.images]
        _warn_of_a_small_disk(store, len(missing))
        jobs = [(number, originals[number]) for number in missing]
        done = len(originals) - len(missing)
        for number, outcome in prepare_all(jobs, store, workers):
            match outcome:
                case Prepared():
                    if outcome.pixels is not None:
                        writer.add(outcome.key, outcome.pixels, outcome.findings)
                    if outcome.file is not None:
                        writer.remember(outcome.file)
                    keys[number] = outcome.key
                case Refusal():
                    refusals[number] = outcome.reason
            done += 1
            if report is not None:
                report(done, len(originals))
    return refusals


def _warn_of_a_small_disk(store: PixelStore, count: int) -> None:
    needed, free = count * store.bytes_per_image, shutil.disk_usage(store.folder).free
    if needed > free:
        _logger.warning(
            "%d images take %.1f GB in %s, where %.1f GB are free.", count, needed / 1e9, store.folder, free / 1e9
        )
