"""Images prepared once, in parallel, into a memory-mapped file; an interrupted run goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from kdistill_core.datasets.contract import DatasetError
from kdistill_core.records import Study
from kdistill_core.serialization import from_json, to_json

Item = TypeVar("Item")
Prepare = Callable[[Item], tuple[NDArray[np.float32], Study]]
Report = Callable[[int, int], None]

# Small enough that little is lost when a run is killed, large enough that handing it over costs nothing.
CHUNK = 32


@dataclass(frozen=True, eq=False)
class PixelCache:
    """Prepared images and what is known of them.

    pixels: uint8 [N, S, S], memory-mapped; the model input's [0, 1] times 255. studies: one an image, no radiographs.
    """

    pixels: NDArray[np.uint8]
    studies: tuple[Study, ...]

    def __len__(self) -> int:
        return len(self.studies)


def build_cache(
    root: Path,
    identity: Mapping[str, str | int],
    items: Sequence[Item],
    prepare: Prepare[Item],
    size: int,
    workers: int = 1,
    report: Report | None = None,
) -> PixelCache:
    """Return the cache of ``items``, in their order, from ``root`` if it is there, else prepared now.

    identity: everything that shapes the result but the items; it names the folder, so that a change makes a new one.
    prepare: a picklable function from an item to float32 [size, size] in [0, 1] and the study. report: called with
    what is done and the total. Raises DatasetError.
    """
    folder = root / _name({**identity, "items": _digest(items), "size": size})
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "pixels.npy"
    shape = (len(items), size, size)
    if not path.exists():
        np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape).flush()
    pixels = np.load(path, mmap_mode="r+")
    if pixels.shape != shape:
        raise DatasetError(f"The cache {folder} is damaged.", "Delete the folder; it will be made again.")
    starts = range(0, len(items), CHUNK)
    todo = [start for start in starts if not _studies_file(folder, start).exists()]
    done = len(items) - sum(len(items[start : start + CHUNK]) for start in todo)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        running = {pool.submit(_prepare_chunk, prepare, items[start : start + CHUNK]): start for start in todo}
        for future in as_completed(running):
            start = running[future]
            images, studies = future.result()
            pixels[start : start + len(images)] = images
            pixels.flush()
            _write(_studies_file(folder, start), b"\n".join(studies))
            done += len(images)
            if report is not None:
                report(done, len(items))
    lines = (line for start in starts for line in _studies_file(folder, start).read_bytes().splitlines())
    return PixelCache(np.load(path, mmap_mode="r"), tuple(from_json(line, Study) for line in lines))


def _prepare_chunk(prepare: Prepare[Item], items: Sequence[Item]) -> tuple[NDArray[np.uint8], list[bytes]]:
    prepared = [prepare(item) for item in items]
    images = np.stack([np.round(pixels * 255).astype(np.uint8) for pixels, _ in prepared])
    return images, [b" ".join(to_json(study, indent=0).splitlines()) for _, study in prepared]


def _studies_file(folder: Path, start: int) -> Path:
    return folder / f"studies-{start:07d}.jsonl"


def _write(path: Path, content: bytes) -> None:
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    partial.replace(path)


def _name(identity: Mapping[str, str | int]) -> str:
    digest = hashlib.sha256(json.dumps(dict(identity), sort_keys=True).encode()).hexdigest()
    return f"{identity.get('name', 'cache')}-{digest[:16]}"


def _digest(items: Sequence[object]) -> str:
    digest = hashlib.sha256()
    for item in items:
        digest.update(repr(item).encode())
    return digest.hexdigest()
