"""Many waits at a time behind a plain generator: an event loop in a thread, with a bound on what is under way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Generator, Iterable, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, contextmanager
from queue import SimpleQueue
from typing import Any, TypeVar

_Result = TypeVar("_Result")
# Seconds before what runs is canceled: anyio warns of a connection that is canceled before its first step.
_FIRST_STEPS = 0.02
Job = Callable[[], Coroutine[Any, Any, _Result]]


def finished(
    jobs: Iterable[Job[_Result]], used: AbstractAsyncContextManager[Any], *, at_once: int, ahead: int
) -> Generator[_Result, None, None]:
    """Yield the result of each job once, as they finish, at most ``at_once`` running.

    jobs: drawn in the caller's thread, never more than ``at_once + ahead`` beyond what was yielded, so a slow consumer
    or server holds them back. used: what the jobs share; entered before and left after them, in their event loop.
    A job's exception is raised here and ends the rest; so does closing the generator.
    """
    done: SimpleQueue[Future[_Result]] = SimpleQueue()
    running = asyncio.Semaphore(at_once)
    leaving = threading.Event()

    async def run(job: Job[_Result]) -> _Result:
        await running.acquire()
        if leaving.is_set():
            raise asyncio.CancelledError
        result = await job()
        # Not released where the job failed: that ends the rest, so nobody may take its place.
        running.release()
        return result

    with _event_loop(used) as loop:
        try:
            open_count = 0
            for job in jobs:
                asyncio.run_coroutine_threadsafe(run(job), loop).add_done_callback(done.put)
                open_count += 1
                if open_count == at_once + ahead:
                    yield done.get().result()
                    open_count -= 1
            for _ in range(open_count):
                yield done.get().result()
        finally:
            leaving.set()


@contextmanager
def _event_loop(used: AbstractAsyncContextManager[Any]) -> Iterator[asyncio.AbstractEventLoop]:
    """Run an event loop in a thread of its own; on leaving, what still runs is canceled and awaited."""
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    ended: Future[None] = Future()

    async def main() -> None:
        leaving = asyncio.Event()
        async with used:
            started.set_result((asyncio.get_running_loop(), leaving))
            await leaving.wait()
            rest = asyncio.all_tasks() - {asyncio.current_task()}
            if rest:
                await asyncio.sleep(_FIRST_STEPS)
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            (ended if started.done() else started).set_exception(error)
        else:
            ended.set_result(None)

    # A daemon, so that a generator that nobody closed does not keep the program from ending.
    thread = threading.Thread(target=run, name="teacher-server", daemon=True)
    thread.start()
    try:
        loop, leaving = started.result()
        try:
            yield loop
        finally:
            loop.call_soon_threadsafe(leaving.set)
            ended.result()
    finally:
        thread.join()
