"""The long work that is going on: its stage, how far it is, and how to stop it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from kdistill_viewer.state.signal import Signal


@dataclass(frozen=True)
class Job:
    """``fraction`` in [0, 1], None without an estimate; ``cancel`` is None for work that cannot be stopped."""

    id: str
    text: str
    fraction: float | None = None
    cancel: Callable[[], None] | None = None


class Jobs:
    """Every job under way; the one that started last is the one that is shown."""

    def __init__(self) -> None:
        self.changed: Signal[Job | None] = Signal()
        self._jobs: dict[str, Job] = {}

    @property
    def current(self) -> Job | None:
        return next(reversed(self._jobs.values()), None)

    def start(self, job: Job) -> None:
        self._jobs[job.id] = job
        self.changed.emit(self.current)

    def update(self, job_id: str, text: str, fraction: float | None) -> None:
        """Change the stage of a job; news of a job that already ended is of no interest."""
        job = self._jobs.get(job_id)
        if job is not None:
            self._jobs[job_id] = replace(job, text=text, fraction=fraction)
            self.changed.emit(self.current)

    def finish(self, job_id: str) -> None:
        if self._jobs.pop(job_id, None) is not None:
            self.changed.emit(self.current)

    def cancel_current(self) -> None:
        job = self.current
        if job is not None and job.cancel is not None:
            job.cancel()
