"""Prepared images on disk, an entry an image, which a kill at any moment cannot spoil.

A store is one folder for one way of preparing (a preprocessing at a size), shared by all data sets and processes:

- ``pixels.u8``: the images one after another, each uint8 [size, size], read through a memory map;
- ``index.log``: what is there, a line an image (:mod:`kdistill_core.datasets.store_log`);
- ``about.json``: what the store holds, for people and for :func:`verify_stores`;
- ``lock``: held by the one process that writes; the system frees it when that process dies, however it dies;
- ``unfinished``: there while a process writes, and after one that could not tidy up.

Both data files only ever grow, so a reader needs no lock and never sees an image change under it. An image's line is
written after its pixels: a process killed in between leaves pixels that no line speaks of, and the image is prepared
again. Pixels are written as to any file, not through the map, because a full disk would end the process there
(SIGBUS) instead of raising an error. A kill loses nothing that was written; a power failure may lose pixels whose
line survived, so after an unfinished run every checksum is verified before anything is added.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from typing import Self

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from kdistill_core.datasets.contract import DatasetError
from kdistill_core.datasets.store_log import FileLine, ImageLine, Line, StruckLine, decoded, encoded
from kdistill_core.records import Finding
from kdistill_core.serialization import RecordError, from_json

_PIXELS, _INDEX, _ABOUT, _LOCK, _UNFINISHED = "pixels.u8", "index.log", "about.json", "lock", "unfinished"
_FORMAT = 1
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class About:
    """What a store holds. preprocessing: hash of how the images were prepared; size: pixels a side."""

    preprocessing: str
    size: int
    format: int = _FORMAT


class PixelStore:
    """A folder of prepared images: what its index says, and the map of its pixels.

    images: by key; files: what is known of files, by absolute path; read_up_to: bytes of the index that they are
    made from. :meth:`refresh` brings them up to date.
    """

    def __init__(self, root: Path, about: About) -> None:
        identity = json.dumps(asdict(about), sort_keys=True).encode()
        self.about = about
        self.folder = root / f"prepared-{about.size}px-{hashlib.sha256(identity).hexdigest()[:16]}"
        self.images: dict[str, ImageLine] = {}
        self.files: dict[str, FileLine] = {}
        self.read_up_to = 0
        self.refresh()

    @property
    def bytes_per_image(self) -> int:
        return self.about.size**2

    @property
    def pixel_file(self) -> Path:
        return self.folder / _PIXELS

    @property
    def index_file(self) -> Path:
        return self.folder / _INDEX

    def refresh(self) -> None:
        """Read what was added to the index since it was last read."""
        text = _read(self.index_file, self.read_up_to)
        whole = text.rfind(b"\n") + 1  # the rest is being written at this moment
        self.read_up_to += whole
        for line in decoded(text[:whole]):
            self.note(line)

    def note(self, line: Line) -> None:
        """Take in one line of the index."""
        match line:
            case ImageLine():
                self.images[line.key] = line
            case StruckLine():
                self.images.pop(line.key, None)
            case FileLine():
                self.files[line.path] = line

    def needs_checking(self) -> bool:
        """Return whether the last process that wrote did not end as it should, and nobody is at it now."""
        if not (self.folder / _UNFINISHED).exists():
            return False
        with _writing_to(self.folder):
            try:
                with FileLock(self.folder / _LOCK, blocking=False):
                    return (self.folder / _UNFINISHED).exists()
            except Timeout:  # an OSError, yet no fault: a process is writing, and has checked what it found
                return False

    @contextmanager
    def writing(self) -> Iterator[StoreWriter]:
        """Hold the store for writing, waiting for a process that holds it; what a failed run damaged has been struck.

        Raises DatasetError for a folder that cannot be written.
        """
        with _writing_to(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = _acquired(self.folder / _LOCK)
        try:
            self.refresh()
            with StoreWriter(self) as writer:
                yield writer
        finally:
            lock.release()

    def damaged(self) -> tuple[str, ...]:
        """Return the keys of the images whose pixels do not fit their checksum."""
        mapped = mapped_pixels(self.pixel_file, self.about.size)
        return tuple(
            line.key
            for line in self.images.values()
            if line.place >= len(mapped) or zlib.crc32(mapped[line.place].data) != line.checksum
        )


class StoreWriter:
    """The one that may add to a store, made by :meth:`PixelStore.writing`.

    struck: images that an unfinished run had left damaged.
    """

    def __init__(self, store: PixelStore) -> None:
        self.struck: tuple[str, ...] = ()
        self._store = store
        self._unfinished = store.folder / _UNFINISHED
        with _writing_to(store.folder):
            interrupted = self._unfinished.exists()
            self._unfinished.touch()
            _describe(store)
            # Unbuffered, so that an image is in the system's hands before the next one begins.
            self._pixels = store.pixel_file.open("ab", buffering=0)
            self._index = store.index_file.open("ab", buffering=0)
            # A killed process may have left part of an image, or of a line.
            _write(self._pixels, bytes(-self._pixels.tell() % store.bytes_per_image))
            _write(self._index, b"\n" if self._index.tell() else b"")
            store.read_up_to = self._index.tell()
        if interrupted:
            _logger.warning("The last run on %s was interrupted; checking its images.", store.folder)
            self.struck = store.damaged()
            self.strike(self.struck)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with _writing_to(self._store.folder):
            for stream in (self._pixels, self._index):
                with stream:
                    os.fsync(stream.fileno())
            self._unfinished.unlink()

    def add(self, key: str, pixels: NDArray[np.uint8], findings: tuple[Finding, ...] = ()) -> None:
        """Add an image, uint8 [size, size], unless it is there.

        Raises DatasetError, as on a full disk, and ValueError for another shape or type.
        """
        size = self._store.about.size
        if pixels.shape != (size, size) or pixels.dtype != np.uint8:
            raise ValueError(f"{pixels.dtype} {pixels.shape} is not an image of this store, uint8 {(size, size)}.")
        if key in self._store.images:
            return
        content = np.ascontiguousarray(pixels).data
        with _writing_to(self._store.folder):
            place = self._pixels.tell() // self._store.bytes_per_image
            _write(self._pixels, content)
        self._append(ImageLine(key, place, zlib.crc32(content), findings))

    def remember(self, file: FileLine) -> None:
        """Keep what a file holds, so that it need not be read again to know it."""
        if self._store.files.get(file.path) != file:
            self._append(file)

    def strike(self, keys: Iterable[str]) -> None:
        """Take images off the index, so that they are prepared again."""
        for key in keys:
            self._append(StruckLine(key))

    def _append(self, line: Line) -> None:
        with _writing_to(self._store.folder):
            _write(self._index, encoded(line))
        self._store.read_up_to = self._index.tell()
        self._store.note(line)


@dataclass(frozen=True)
class StoreCheck:
    """What a store was found to hold. damaged: the images struck from it, by file where it is known, else by key."""

    folder: Path
    size: int
    images: int
    damaged: tuple[str, ...] = ()


def verify_stores(root: Path) -> tuple[StoreCheck, ...]:
    """Compare every image of every store under ``root`` with its checksum.

    Damaged images are struck from the index: the next run that wants them prepares them again. Waits for a process
    that is writing. Raises DatasetError where ``root`` holds no store, or one that cannot be written.
    """
    checks = [_verified(root, path) for path in sorted(root.glob(f"*/{_ABOUT}"))]
    if not checks:
        raise DatasetError(f"{root} holds no prepared images.", "Give the folder that training names as its cache.")
    return tuple(checks)


def _verified(root: Path, path: Path) -> StoreCheck:
    try:
        about = from_json(path.read_bytes(), About)
    except (OSError, RecordError) as error:
        raise DatasetError(
            f"{path} cannot be read ({error}).", "Delete its folder; the images will be prepared again."
        ) from error
    store = PixelStore(root, about)
    names = {line.sha256: line.path for line in store.files.values()}
    with store.writing() as writer:
        damaged = store.damaged()
        writer.strike(damaged)
        named = tuple(names.get(key.partition("#")[0], key) for key in (*writer.struck, *damaged))
    return StoreCheck(store.folder, about.size, len(store.images), named)


def mapped_pixels(path: Path, size: int) -> NDArray[np.uint8]:
    """Return the images of a pixel file as uint8 [n, size, size], a read-only memory map."""
    count = path.stat().st_size // size**2 if path.exists() else 0
    if not count:  # an empty file cannot be mapped
        return np.zeros((0, size, size), dtype=np.uint8)
    return np.asarray(np.memmap(path, dtype=np.uint8, mode="r", shape=(count, size, size)))


def held_keys(index: Path, up_to: int) -> frozenset[str]:
    """Return the keys of the images that the first ``up_to`` bytes of an index list."""
    keys: set[str] = set()
    for line in decoded(_read(index, 0)[:up_to]):
        match line:
            case ImageLine():
                keys.add(line.key)
            case StruckLine():
                keys.discard(line.key)
    return frozenset(keys)


def _acquired(path: Path) -> FileLock:
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        _logger.warning("Another process is preparing images in %s; waiting for it.", path.parent)
        lock.acquire()
    return lock


def _describe(store: PixelStore) -> None:
    path = store.folder / _ABOUT
    if not path.exists():
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(store.about)) + "\n", encoding="utf-8")
        partial.replace(path)


def _read(path: Path, start: int) -> bytes:
    try:
        with path.open("rb") as stream:
            stream.seek(start)
            return stream.read()
    except (FileNotFoundError, NotADirectoryError):  # what stands in the way is told when it is to be made
        return b""
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}.", "Check its permissions.") from error


def _write(stream: FileIO, content: bytes | memoryview) -> None:
    left = memoryview(content).cast("B")
    while left:
        left = left[stream.write(left) :]


@contextmanager
def _writing_to(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DatasetError(
            f"Prepared images cannot be written to {folder}: {error.strerror or error}.",
            "Make room or name another folder; what is prepared is kept, and the next run goes on from there.",
        ) from error
