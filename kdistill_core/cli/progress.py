"""Progress on standard error: a bar on a terminal, a line per step elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from kdistill_core.cli.console import err, progress_bar, say
from kdistill_core.engine.messages import Progress as Step
from kdistill_core.engine.messages import Stage


class Progressing:
    """Counts images and names the stage at hand."""

    def __init__(self, total: int) -> None:
        self._bar = progress_bar()
        self._task = self._bar.add_task("Starting", total=total)
        self._stage = ""

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def step(self, step: Step) -> None:
        """Show what the engine is busy with."""
        share = "" if step.fraction is None else f" ({step.fraction:.0%})"
        self._bar.update(self._task, description=f"{step.stage}{share}")
        # Loading is the one stage that is long; the others would only flood a log.
        if not err.is_terminal and step.stage != self._stage and step.stage is Stage.LOADING:
            say(f"{step.stage} ...")
        self._stage = step.stage

    def done_with_one(self, line: str) -> None:
        """Count one image and say what became of it."""
        say(line)
        self._bar.advance(self._task)
