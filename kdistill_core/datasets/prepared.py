"""What the models are trained and measured on, each image through the same model input as at inference."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kdistill_core.datasets.cache import LeftOut, PixelCache, Report, gather
from kdistill_core.datasets.contract import DatasetError
from kdistill_core.datasets.pixel_store import About
from kdistill_core.datasets.store_log import FileLine
from kdistill_core.datasets.workers import Prepared
from kdistill_core.imaging import read_radiograph
from kdistill_core.imaging.model_input import preprocessing_sha256, to_model_input
from kdistill_core.imaging.reading import sha256_of
from kdistill_core.phantom import simulate
from kdistill_core.records import ImageSource, Patient, Radiograph, Study
from kdistill_core.serialization import to_json

PHANTOM = "phantom"
_PROBES = range(12)
_PROBE_SIDE, _PROBE_GRID = 96, 8
# Two writings within one tick of a file system's clock leave the same times; the coarsest in use (FAT) ticks in 2 s.
_SETTLED_NS = 2_000_000_000


@dataclass(frozen=True)
class ImageFile:
    """An image in a file, known by the file's SHA-256 and the frame; see :class:`.workers.Original`.

    detail: see :func:`prepare_images`.
    """

    source: ImageSource
    detail: int | None = None

    def known_key(self, files: Mapping[str, FileLine]) -> str | None:
        """Return the key, if the file is as it was when it was last read: same size and times."""
        path = Path(self.source.path).absolute()
        known = files.get(str(path))
        if known is None:
            return None
        try:
            stamp = path.stat()
        except OSError:
            return None  # the reader says why
        as_known = (known.size, known.modified, known.changed) == (stamp.st_size, stamp.st_mtime_ns, stamp.st_ctime_ns)
        return self._key(known.sha256) if as_known else None

    def prepare(self, size: int, held: Collection[str]) -> Prepared:
        """Return the image as a model input. Raises ImagingError, OSError."""
        path, read_at = Path(self.source.path).absolute(), time.time_ns()
        sha256, pixels = "", None
        if held:
            sha256 = sha256_of(path)
        if self._key(sha256) not in held:
            radiograph = read_radiograph(self.source)
            sha256, pixels = radiograph.sha256, _pixels(radiograph, size, self.detail)
        return Prepared(self._key(sha256), pixels, file=_line_of(path, sha256, read_at))

    def _key(self, sha256: str) -> str:
        coarser = "" if self.detail is None else f"~{self.detail}"
        return f"{sha256}#{self.source.frame}{coarser}"


@dataclass(frozen=True)
class Phantom:
    """A phantom to be simulated, known by its seed, its size and the simulator; the truth goes into its findings."""

    seed: int
    side: int
    simulator_sha256: str

    def known_key(self, files: Mapping[str, FileLine]) -> str:
        del files
        return f"{PHANTOM}:{self.simulator_sha256}:{self.side}:{self.seed}"

    def prepare(self, size: int, held: Collection[str]) -> Prepared:
        """Return the phantom as a model input, with its truth."""
        key = self.known_key({})
        if key in held:
            return Prepared(key, None)
        case = simulate(self.seed, self.side, self.side)
        return Prepared(key, _pixels(case.radiograph, size), case.findings)


def prepare_phantoms(
    root: Path,
    seeds: Sequence[int],
    side: int,
    size: int,
    split: str,
    *,
    workers: int = 1,
    report: Report | None = None,
) -> PixelCache:
    """Return the phantoms of ``seeds``, simulated at ``side`` pixels, as model inputs of ``size`` pixels.

    The studies hold the phantoms' truth (never their reports); every phantom is a patient of its own. workers, report:
    see :func:`kdistill_core.datasets.cache.gather`. Raises DatasetError.
    """
    simulator = _simulator_sha256()
    originals = [Phantom(seed, side, simulator) for seed in seeds]
    gathered = gather(root, About(preprocessing_sha256(size), size), originals, workers, report)
    names = [f"{PHANTOM}-{seed}" for seed in seeds]
    studies = tuple(
        Study(id=name, patient=Patient(id=name), findings=findings, split=split)
        for name, findings in zip(names, gathered.findings, strict=True)
        if findings is not None
    )
    return PixelCache(gathered.pixels, studies, _left_out(names, gathered.refusals))


def prepare_images(
    root: Path,
    studies: Sequence[Study],
    size: int,
    *,
    detail: int | None = None,
    workers: int = 1,
    report: Report | None = None,
) -> PixelCache:
    """Return studies of one image each as model inputs of ``size`` pixels, and which could not be prepared.

    detail: pixels a side, of which no image shows more (:func:`kdistill_core.imaging.model_input.to_model_input`), so
    that images of several resolutions can hardly be told apart by their sharpness. workers, report: see
    :func:`kdistill_core.datasets.cache.gather`. Raises DatasetError, also for a study of no or several images
    (:func:`kdistill_core.datasets.by_image` takes those apart).
    """
    for study in studies:
        if len(study.images) != 1:
            raise DatasetError(
                f"The study {study.id} has {len(study.images)} images, and one is needed.",
                "Take the studies apart by image, and leave out those without one.",
            )
    originals = [ImageFile(study.images[0].source, detail) for study in studies]
    gathered = gather(root, About(preprocessing_sha256(size), size), originals, workers, report)
    kept = tuple(study for study, findings in zip(studies, gathered.findings, strict=True) if findings is not None)
    return PixelCache(gathered.pixels, kept, _left_out([study.id for study in studies], gathered.refusals))


def _left_out(names: Sequence[str], refusals: Mapping[int, str]) -> tuple[LeftOut, ...]:
    return tuple(LeftOut(names[number], refusals[number]) for number in sorted(refusals))


def _pixels(radiograph: Radiograph, size: int, detail: int | None = None) -> NDArray[np.uint8]:
    return np.round(to_model_input(radiograph, size, detail).pixels * 255).astype(np.uint8)


def _line_of(path: Path, sha256: str, read_at: int) -> FileLine | None:
    """Return what may be remembered of a file read from ``read_at`` on (ns); None where it was just written.

    A later change within one tick of the file system's clock could not be told from the times; then it is read again.
    """
    stamp = path.stat()
    if max(stamp.st_mtime_ns, stamp.st_ctime_ns) > read_at - _SETTLED_NS:
        return None
    return FileLine(str(path), stamp.st_size, stamp.st_mtime_ns, stamp.st_ctime_ns, sha256)


@cache
def _simulator_sha256() -> str:
    """Return the hash of what the simulator makes of a few seeds.

    A simulator that makes other images gets other keys; one that was only made faster or tidier keeps its own.
    """
    digest = hashlib.sha256()
    for seed in _PROBES:
        case = simulate(seed, _PROBE_SIDE, _PROBE_SIDE)
        pixels = to_model_input(case.radiograph, _PROBE_SIDE).pixels
        # Coarse on purpose: the last bits depend on the processor and its libraries.
        coarse = pixels.reshape(_PROBE_GRID, -1, _PROBE_GRID, _PROBE_SIDE // _PROBE_GRID).mean((1, 3))
        digest.update(np.round(coarse * 64).astype(np.uint8).tobytes())
        digest.update(to_json(case.findings))
    return digest.hexdigest()
