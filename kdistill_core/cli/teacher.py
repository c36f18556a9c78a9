"""`kdistill teacher`: the language model that writes rationales; each command has a module of its own."""

from __future__ import annotations

import typer

from kdistill_core.cli import teacher_evaluate, teacher_library, teacher_review, teacher_write

app = typer.Typer(no_args_is_help=True)


@app.callback()
def teacher() -> None:
    """The language model that writes rationales, and what it has written."""


app.command("evaluate")(teacher_evaluate.evaluate)
app.command("library")(teacher_library.library)
app.command("review")(teacher_review.review)
app.command("write")(teacher_write.write)
