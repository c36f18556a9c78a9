"""`kdistill teacher library`: from the rationales that a teacher wrote to the library that the viewer reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kdistill_core.cli.console import err, result, say

_PROMPT_HELP = "Prompt file that they were written with, where not the bundled one; may be given again."


def library(
    stores: Annotated[list[Path], typer.Argument(metavar="STORE...", help="Folders that `teacher write` wrote to.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for library.json.")],
    variants: Annotated[int, typer.Option("--variants", min=1, help="Rationales a finding has at most.")] = 3,
    prompt: Annotated[list[Path] | None, typer.Option("--prompt", metavar="FILE", help=_PROMPT_HELP)] = None,
    embed: Annotated[
        Path | None,
        typer.Option("--embed", metavar="MODEL", help="Language model that embeds every sentence, for training."),
    ] = None,
) -> None:
    """Make the rationale library: for each condition by state, side and severity what the teacher wrote of it.

    The gate reads every rationale once more. Where none passes, the knowledge base's own sentences stand and say so.
    Runs with several seeds, in one store or in several, give several variants. Reviews lie in a file of their own and
    are kept.
    """
    from kdistill_core.teacher.knowledge import load_knowledge
    from kdistill_core.teacher.library_making import make_library
    from kdistill_core.teacher.prompts import load_prompt
    from kdistill_core.teacher.review import outdated, read_reviews, review_files
    from kdistill_core.teacher.store import RationaleStore

    prompts = [load_prompt(), *map(load_prompt, prompt or ())]
    rationales = (rationale for folder in stores for rationale in RationaleStore(_existing(folder)))
    made = make_library(rationales, load_knowledge(), prompts, variants)
    path = out / "library.json"
    made.library.save(path)
    say(
        f"{len(made.library.entries)} entries for {made.contexts} findings; the teacher wrote those of {made.written}, "
        f"the knowledge base those of {made.contexts - made.written}."
    )
    for count, why in (
        (made.elsewhere, "of findings that a library does not hold, such as of a report's sentence"),
        (made.repeated, "in the words of another"),
        (made.spare, f"more than {variants} of a finding"),
        *((count, f"refused by the gate: {check}") for check, count in made.refused.items()),
    ):
        if count:
            say(f"Left out: {count} {why}.")
    lost = outdated(made.library.entries, read_reviews(review_files(path)))
    if lost:
        say(f"{len(lost)} earlier reviews no longer count, because the library no longer holds the text they are of.")
    if embed is not None:
        _embed(made.library.texts(), embed, out / "embeddings.safetensors")
    result(str(path))


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise typer.BadParameter(f"{folder} is not a folder.")
    return folder


def _embed(texts: tuple[str, ...], model: Path, path: Path) -> None:
    from rich.progress import Progress

    from kdistill_core.teacher.embedding import store_embeddings
    from kdistill_core.teacher.model import TeacherModel

    with Progress(console=err, disable=not err.is_terminal, transient=True) as bar:
        task = bar.add_task("Embedding", total=len(texts))
        teacher = TeacherModel.load(model)
        store_embeddings(teacher, texts, path, lambda done, of: bar.update(task, completed=done, total=of))
