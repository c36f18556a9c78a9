"""`kdistill teacher`: the language model that writes rationales; each command has a module of its own."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def teacher() -> None:
    """The language model that writes rationales, and what it has written."""
