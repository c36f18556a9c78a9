"""`kdistill phantom`: simulated radiographs whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kdistill_core.cli.console import err, result, say

app = typer.Typer(no_args_is_help=True)


@app.callback()
def phantom() -> None:
    """Simulated radiographs whose truth is known."""


@app.command("generate")
def generate(
    count: Annotated[int, typer.Option("--count", min=1, help="How many cases.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to write to.")],
    size: Annotated[int, typer.Option("--size", min=1, metavar="PX", help="Pixels a side.")] = 512,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the first case; the others follow.")] = 0,
) -> None:
    """Write phantoms: DICOM images, masks, reports, labels.csv and truth.json."""
    from rich.progress import Progress

    from kdistill_core.phantom.writing import write_cases

    with Progress(console=err, disable=not err.is_terminal, transient=True) as bar:
        task = bar.add_task("Simulating", total=count)

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done)
            # A line for every tenth of the work where there is no bar.
            if not err.is_terminal and done * 10 // total > (done - 1) * 10 // total:
                say(f"{done} of {total} phantoms")

        write_cases(count, size, seed, out, progress)
    result(str(out))
