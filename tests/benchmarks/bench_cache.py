"""Images a second from DICOM files and from the cache, all in one run.

    python tests/benchmarks/bench_cache.py --count 48 --side 2048 --size 224

Phantoms are written as uncompressed DICOM, the cheapest to decode. Then, in this order: decoding and resizing every
file; the first epoch, which prepares and reads; the second, which reads. An epoch visits the images in a random order
and turns each into float32 in [0, 1], as a batch needs it. "Cold" has the system forget the files first (Linux), as
with a data set larger than the memory.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from kdistill_core.datasets.cache import PixelCache
from kdistill_core.datasets.prepared import prepare_images
from kdistill_core.imaging import read_radiograph
from kdistill_core.imaging.model_input import to_model_input
from kdistill_core.phantom import simulate
from kdistill_core.phantom.dicom import write_dicom
from kdistill_core.records import ImageSource, Study, StudyImage

LINUX = sys.platform.startswith("linux")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=48, help="images")
    parser.add_argument("--side", type=int, default=2048, help="pixels a side of the DICOM files")
    parser.add_argument("--size", type=int, default=224, help="pixels a side of the model input")
    parser.add_argument("--workers", type=int, default=1, help="processes that prepare in the first epoch")
    options = parser.parse_args()
    load = f", load {os.getloadavg()[0]:.1f}" if LINUX else ""
    print(f"{options.count} DICOM files of {options.side} by {options.side} pixels, model input of {options.size}")
    print(f"{platform.machine()}, {os.cpu_count()} cores{load}")
    with tempfile.TemporaryDirectory() as folder:
        studies = written(Path(folder) / "images", options.count, options.side)
        measure(studies, Path(folder) / "cache", options.size, options.workers)


def written(folder: Path, count: int, side: int) -> list[Study]:
    folder.mkdir()
    studies = []
    for seed in range(count):
        path = folder / f"{seed:05d}.dcm"
        write_dicom(simulate(seed, side, side).radiograph, path)
        studies.append(Study(path.stem, images=(StudyImage(path.stem, ImageSource(str(path))),)))
    time.sleep(2.1)  # a file just written is not yet known by its times
    return studies


def measure(studies: list[Study], cache: Path, size: int, workers: int) -> None:
    order = np.random.default_rng(0).permutation(len(studies))
    files = [Path(study.images[0].source.path) for study in studies]

    def decode() -> None:
        for index in order:
            to_model_input(read_radiograph(studies[index].images[0].source), size)

    def epoch() -> None:
        read(prepare_images(cache, studies, size, workers=workers), order)

    to_model_input(read_radiograph(files[0]), size)  # loads the decoders
    forget(files)
    decoding_cold = rate("decoding DICOM, cold", len(studies), decode)
    decoding = rate("decoding DICOM", len(studies), decode)
    rate(f"first epoch, {workers} process(es)", len(studies), epoch)
    forget(cache.glob("*/*"))
    cold = rate("second epoch, cold", len(studies), epoch)
    warm = rate("third epoch", len(studies), epoch)
    opened = prepare_images(cache, studies, size)
    reading = rate("reading an opened cache", len(studies), lambda: read(opened, order))
    print(f"second epoch over decoding, both cold: {cold / decoding_cold:.0f} times as fast (n = {len(studies)})")
    print(f"the same from memory: {warm / decoding:.0f} times; an opened cache: {reading / decoding:.0f} times")


def read(cache: PixelCache, order: Iterable[int]) -> None:
    total = 0.0
    for index in order:
        total += float((cache.pixels[int(index)].astype(np.float32) / np.float32(255))[0, 0])
    assert total >= 0


def rate(what: str, count: int, work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    print(f"{what:28} {count / seconds:10.1f} images/s  {1e3 * seconds / count:8.2f} ms an image", flush=True)
    return count / seconds


def forget(files: Iterable[Path]) -> None:
    """Have the system drop what it holds of ``files`` in memory, where it can be asked to."""
    for path in files:
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
            if LINUX:
                os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


if __name__ == "__main__":
    main()
