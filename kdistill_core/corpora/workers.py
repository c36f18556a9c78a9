"""Processes that work side by side for a build and end with it, whatever ends it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from kdistill_core.corpora.errors import CorpusError

Task = TypeVar("Task")
Done = TypeVar("Done")
_LOOK_AGAIN_AFTER = 0.5  # seconds


def in_turn(
    work: Callable[[Task], Done], tasks: Iterable[Task], workers: int, waiting: Callable[[], None]
) -> Generator[Done]:
    """Yield what ``work`` makes of each task, in the order of the tasks, whichever is done first.

    waiting: is called twice a second while the next one is not done. Raises what ``work`` does, and CorpusError where
    a process was ended from outside.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_the_build) as pool:
        futures = [pool.submit(work, task) for task in tasks]
        try:
            while futures:
                yield _result(futures.pop(0), waiting)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _result(future: Future[Done], waiting: Callable[[], None]) -> Done:
    while True:
        try:
            return future.result(timeout=_LOOK_AGAIN_AFTER)
        except TimeoutError:
            # The work may have raised one of its own.
            if future.done():
                return future.result()
            waiting()
        except BrokenProcessPool as error:
            raise CorpusError(
                "A process that reads files was ended from outside, often because memory ran out.",
                "Run the command again with fewer workers; it goes on where it was.",
            ) from error


def _end_with_the_build() -> None:
    """Let this process end when it is interrupted, and when the one that started it is gone, killed or not.

    One that is left over would write into the folder that the next run works in.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
