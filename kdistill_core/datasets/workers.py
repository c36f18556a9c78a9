"""Originals to pixels in worker processes, one image in work in each.

A decoder that takes its process down costs the image that it was given and no other; workers end with the process
they work for, even where that was killed.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kdistill_core.datasets.pixel_store import PixelStore, held_keys
from kdistill_core.datasets.store_log import FileLine
from kdistill_core.errors import KDistillError
from kdistill_core.records import Finding


@dataclass(frozen=True, eq=False)
class Prepared:
    """An original that was prepared.

    key: of its content. pixels: uint8 [size, size], or None where the store holds it already. findings: what was
    learned of it on the way. file: what is now known of the file it came from.
    """

    key: str
    pixels: NDArray[np.uint8] | None
    findings: tuple[Finding, ...] = ()
    file: FileLine | None = None


@dataclass(frozen=True)
class Refusal:
    """Why an original could not be prepared, in words for people."""

    reason: str


class Original(Protocol):
    """What an image is prepared from; picklable, since it travels to the process that prepares it."""

    def known_key(self, files: Mapping[str, FileLine]) -> str | None:
        """Return the key of the image's content, or None where that takes reading it."""
        ...

    def prepare(self, size: int, held: Collection[str]) -> Prepared:
        """Return the image at ``size`` pixels a side, without pixels where its key is one of ``held``."""
        ...


_Work = Callable[[Original], Prepared | Refusal]


def prepare_all(
    originals: Sequence[tuple[int, Original]], store: PixelStore, workers: int
) -> Iterator[tuple[int, Prepared | Refusal]]:
    """Yield what becomes of each numbered original, as they get done.

    workers: processes that prepare, each with one image in work; 1 prepares in this process, without that isolation.
    """
    work = partial(_prepared, store.index_file, store.read_up_to, store.about.size)
    if workers == 1:
        for number, original in originals:
            yield number, work(original)
        return
    waiting = deque(originals)
    while waiting:
        suspects: list[tuple[int, Original]] = []
        yield from _until_a_worker_dies(waiting, work, min(workers, len(waiting)), suspects)
        for number, original in suspects:
            yield number, _alone(original, work)


def _until_a_worker_dies(
    waiting: deque[tuple[int, Original]], work: _Work, workers: int, suspects: list[tuple[int, Original]]
) -> Iterator[tuple[int, Prepared | Refusal]]:
    """Yield what becomes of ``waiting``; where a worker dies, leave what was in work in ``suspects`` and stop."""
    running: dict[Future[Prepared | Refusal], tuple[int, Original]] = {}
    with _processes(workers) as pool:
        while (waiting or running) and not suspects:
            while waiting and len(running) < workers and not suspects:
                job = waiting.popleft()
                try:
                    running[pool.submit(work, job[1])] = job
                except BrokenProcessPool:
                    suspects.append(job)
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                job = running.pop(future)
                if isinstance(future.exception(), BrokenProcessPool):
                    suspects.append(job)
                else:
                    yield job[0], future.result()
        suspects += running.values()


def _alone(original: Original, work: _Work) -> Prepared | Refusal:
    with _processes(1) as pool:
        try:
            return pool.submit(work, original).result()
        except BrokenProcessPool:
            return Refusal("The process that decoded it died, so the file is damaged or its decoder is faulty.")


def _prepared(index: Path, up_to: int, size: int, original: Original) -> Prepared | Refusal:
    try:
        return original.prepare(size, _held(index, up_to))
    except KDistillError as error:
        return Refusal(str(error))
    except OSError as error:
        return Refusal(f"The file cannot be read: {error.strerror}.")
    except MemoryError:
        return Refusal("The memory does not suffice to decode it.")


@lru_cache(maxsize=1)  # one reading of the index a build and process
def _held(index: Path, up_to: int) -> frozenset[str]:
    return held_keys(index, up_to)


def _processes(count: int) -> ProcessPoolExecutor:
    # Forking a process that holds locks and threads of numerical libraries may hang it.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, mp_context=context, initializer=end_with_parent)


def end_with_parent() -> None:
    """End this worker when the process it works for is gone; a killed one cannot tell it to."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait_for_it() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait_for_it, daemon=True).start()
