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
    write: Annotated[
        str | None,
        typer.Option(
            "--write", metavar="MODEL", help="Let this teacher first write into the first STORE what it lacks."
        ),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Rationales a finding gets with --write.")] = 3,
    embed: Annotated[
        Path | None,
        typer.Option("--embed", metavar="MODEL", help="Language model that embeds every sentence, for training."),
    ] = None,
) -> None:
    """Make the rationale library: for each condition by state, side and severity what the teacher wrote of it.

    The gate reads every rationale once more. Where none passes, the knowledge base's own sentences stand and say so.
    Runs with several seeds, in one store or in several, give several variants. With --write the whole library is
    written in one run, which goes on where it was when it is stopped. Reviews lie in a file of their own and are kept.
    """
    from kdistill_core.teacher.knowledge import load_knowledge
    from kdistill_core.teacher.library_making import make_library
    from kdistill_core.teacher.prompts import load_prompt
    from kdistill_core.teacher.review import outdated, read_reviews, review_files
    from kdistill_core.teacher.store import RationaleStore

    if write is not None:
        _write(write, stores[0], seeds)
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


def _write(model: str, store: Path, seeds: int) -> None:
    """Let ``model`` write every finding of the library into ``store``, once for each of the first ``seeds`` seeds."""
    from rich.progress import Progress

    from kdistill_core.teacher.knowledge import load_knowledge
    from kdistill_core.teacher.library_writing import write_library_rationales
    from kdistill_core.teacher.model import TeacherModel
    from kdistill_core.teacher.prompts import load_prompt
    from kdistill_core.teacher.transformers_writer import TransformersWriter
    from kdistill_core.teacher.writing import Tally

    with Progress(console=err, disable=not err.is_terminal, transient=True) as bar:
        task = bar.add_task("Writing", total=None)

        def report(tally: Tally, of: int) -> None:
            bar.update(task, completed=tally.written + tally.reused, total=of)

        writer = TransformersWriter(TeacherModel.load(model), load_prompt())
        tally = write_library_rationales(writer, load_knowledge(), store, range(seeds), report)
    say(
        f"{tally.written} rationales written, {tally.reused} stored before; {tally.first_passes} of "
        f"{tally.first_tries} passed the gate at the first try, {tally.accepted} in the end."
    )
    for check, count in tally.reasons.most_common():
        say(f"Refused {count} drafts: {check}.")


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
