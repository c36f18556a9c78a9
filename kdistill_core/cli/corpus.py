"""`kdistill corpus`: literature to clean, packed text for training a teacher."""

from __future__ import annotations

import math
import time
from pathlib import Path
from types import TracebackType
from typing import Annotated, Self

import typer

from kdistill_core.cli.console import err, progress_bar, result, say

# A log of a build that takes a day must still be readable.
_SECONDS_BETWEEN_LINES = 10

app = typer.Typer(no_args_is_help=True)


@app.callback()
def corpus() -> None:
    """Literature to clean, packed text for training a teacher."""


@app.command("build")
def build(
    config: Annotated[Path, typer.Argument(help="YAML file that says what the corpus is made of.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to write to.")],
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes that read files side by side.")] = 1,
) -> None:
    """Build a corpus: read, choose, drop repeats and evaluation questions, pack tokens, write a data card.

    A run that was stopped or killed is taken up again where it was. What is damaged stops the build, unless the
    configuration says "damaged: skip". Texts stay on this computer; nothing is fetched.
    """
    from kdistill_core.corpora.recipe import build_corpus, read_recipe

    recipe = read_recipe(config)
    with _Steps() as steps:
        made = build_corpus(recipe, out, workers, steps.report)
    if made.damaged:
        say(f"{made.damaged:,} damaged files, articles or lines were left out, the first because: {made.damages[0]}")
    say(f"{made.taken:,} of {made.read:,} documents, {made.words:,} words. The data card is {out / 'README.md'}.")
    result(str(out))


class _Steps:
    """A bar on a terminal; elsewhere a line now and then."""

    def __init__(self) -> None:
        self._bar = progress_bar()
        self._task = self._bar.add_task("Starting", total=None)
        self._said = -math.inf

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def report(self, what: str, done: int, total: int) -> None:
        """Show what is at hand, how much of it is done and how much there is."""
        self._bar.update(self._task, description=what, completed=done, total=total)
        if not err.is_terminal and (done == total or time.monotonic() - self._said >= _SECONDS_BETWEEN_LINES):
            say(f"{what}: {done:,} of {total:,}")
            self._said = time.monotonic()
