"""`kdistill student`: the model that looks at a radiograph and writes why; each command has a module of its own."""

from __future__ import annotations

import typer

from kdistill_core.cli import student_export, student_train

app = typer.Typer(no_args_is_help=True)


@app.callback()
def student() -> None:
    """The model that looks at a radiograph, decides on 14 conditions and writes why."""


app.command("export")(student_export.export)
app.command("train")(student_train.train)
