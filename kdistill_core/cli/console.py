"""What the commands say: results on standard output, everything else on standard error."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from kdistill_core.errors import KDistillError

if TYPE_CHECKING:
    from rich.progress import Progress

DONE, REFUSED, WRONG_USAGE = 0, 1, 2

out = Console(markup=False, highlight=False, emoji=False)
err = Console(stderr=True, markup=False, highlight=False, emoji=False)


def say(text: str) -> None:
    """Write a line for the person at the terminal, beside the results."""
    err.print(text, soft_wrap=True)


def result(text: str) -> None:
    """Write a line that a program may read."""
    out.print(text, soft_wrap=True)


def report_problem(error: KDistillError) -> None:
    """Write what was wrong and what to do, each on one line."""
    err.print(f"Error: {one_line(error.problem)}", style="bold red", soft_wrap=True)
    if error.advice:
        err.print(f"       {one_line(error.advice)}", soft_wrap=True)


def one_line(text: str) -> str:
    """Return ``text`` without line breaks."""
    return " ".join(text.split())


def show_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table: drawn on a terminal, as CSV into a file or a pipe."""
    if not out.is_terminal:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
        return
    table = Table(*header, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*row)
    out.print(table)


def progress_bar() -> Progress:
    """Return a bar for standard error that counts steps and vanishes at the end; it is silent where no terminal is."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        disable=not err.is_terminal,
        transient=True,
    )
