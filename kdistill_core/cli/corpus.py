"""`kdistill corpus`: literature to clean, packed text for training a teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kdistill_core.cli.console import err, result, say

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

    A run that was stopped is taken up again where it was. Texts stay on this computer; nothing is fetched.
    """
    from rich.progress import Progress

    from kdistill_core.corpora.recipe import build_corpus, read_recipe

    recipe = read_recipe(config)
    with Progress(console=err, disable=not err.is_terminal, transient=True) as bar:
        task = bar.add_task("Reading", total=None)

        def report(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)
            if not err.is_terminal:
                say(f"{what}: {done} of {total}")

        made = build_corpus(recipe, out, workers, report)
    say(f"{made.taken:,} of {made.read:,} documents, {made.words:,} words. The data card is {out / 'README.md'}.")
    result(str(out))
