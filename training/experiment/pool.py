"""Jobs in the order of what they need, on one process or several; one that fails costs only what needs it."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Any, Protocol, TypeVar

import torch

from kdistill_core.datasets.workers import end_with_parent

# Read by the GNU C library when a process starts: large tensors in pages of 2 MiB, a seventh off a step on a CPU.
_HUGE_PAGES = ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")

Say = Callable[[str], None]


class Named(Protocol):
    """Any job; hashable, and picklable where several processes work."""

    @property
    def name(self) -> str: ...


Job = TypeVar("Job", bound=Named)


def run_jobs(
    jobs: Sequence[Job],
    work: Callable[[Job], Any],
    workers: int,
    *,
    before: Callable[[Job], None],
    done: Callable[[Job], None],
    say: Say,
    needs: Callable[[Job], Collection[Job]] = lambda _: (),
) -> None:
    """Do all ``jobs``, each after those of them that it needs; raises what the first one that failed raised.

    jobs: in an order in which they can be done. workers: processes side by side, one thread each; 1 for this one alone,
    which stops at the first failure. Side by side, whatever does not need what failed is done first: a machine that is
    lent for minutes is not to stand still. before, done: called in this process, before a job starts and after its end.
    """
    if workers == 1:
        for job in jobs:
            before(job)
            work(job)
            done(job)
        return
    os.environ.setdefault(*_HUGE_PAGES)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=single_threaded) as pool:
        waiting, running = dict.fromkeys(jobs), dict[Future[Any], Job]()
        failures: list[BaseException] = []
        try:
            while waiting or running:
                busy = {*waiting, *running.values()}
                ready = [job for job in waiting if not busy.intersection(needs(job))]
                for job in ready[: workers - len(running)]:
                    before(job)
                    del waiting[job]
                    running[pool.submit(work, job)] = job
                for ended in wait(running, return_when=FIRST_COMPLETED).done:
                    job, failure = running.pop(ended), ended.exception()
                    if failure is None:
                        done(job)
                        continue
                    failures.append(failure)
                    without = _needing(job, waiting, needs)
                    for other in without:
                        del waiting[other]
                    say(f"failed, and {len(without)} that need it: {job.name}: {failure}")
            if failures:
                raise failures[0]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def single_threaded() -> None:
    """Let this process compute with one thread, so that runs side by side do not slow one another down.

    One that works for another ends when that one is gone, killed as it may be, and not at the end of its run.
    """
    torch.set_num_threads(1)
    end_with_parent()


def _needing(failed: Job, waiting: Collection[Job], needs: Callable[[Job], Collection[Job]]) -> list[Job]:
    """Return those of ``waiting``, in the order of what they need, that need ``failed`` or what needs it."""
    lost = {failed}
    for job in waiting:
        if lost.intersection(needs(job)):
            lost.add(job)
    return [job for job in waiting if job in lost]
