"""`kdistill data`: what lies in a folder of radiographs, and what is kept of it ready for training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdistill_core.cli.console import REFUSED, err, say, show_table
from kdistill_core.cli.options import KindOption, LabelsOption

if TYPE_CHECKING:
    from kdistill_core.datasets import DataSet

_STEP = 20_000  # studies between two lines of progress, where there is no bar

app = typer.Typer(no_args_is_help=True, help="Data sets: what is there, what is missing, what filters leave.")


@app.command("list")
def list_data_sets() -> None:
    """List the data sets that can be read, and what each needs."""
    from kdistill_core.datasets.registry import sources

    show_table(("kind", "data set", "needs"), [(source.name, source.title, source.needs) for source in sources()])


@app.command("check")
def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that the data set was unpacked to.")],
    kind: KindOption = "",
    labels: LabelsOption = "",
    filters: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            metavar="NAME",
            help="Count what this leaves out; may be repeated, and the order counts. "
            "`kdistill data filters` lists them. By default missing-image, not-frontal and no-label.",
        ),
    ] = None,
    section: Annotated[
        str,
        typer.Option(
            "--section", metavar="NAME", help="findings or impression: also leave out studies whose report lacks it."
        ),
    ] = "",
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write everything, by split, as JSON as well.")
    ] = None,
) -> None:
    """Say what a data set holds: parts, counts by split, view and condition, what filters leave out, every remark.

    Ends with 0 where the data set could be read to its end, remarks or not, and with 1 where it could not.
    """
    from kdistill_core.cli.inventory_page import show_inventory
    from kdistill_core.datasets import ReadOptions, open_data_set
    from kdistill_core.datasets.filters import filters_named
    from kdistill_core.datasets.inventory import take_inventory
    from kdistill_core.datasets.registry import recognize
    from kdistill_core.serialization import to_json

    if section not in {"", "findings", "impression"}:
        raise typer.BadParameter("Choose findings or impression.", param_hint="--section")
    kinds = [] if kind else [source.name for source in recognize(folder)]
    data_set = open_data_set(folder, kind, ReadOptions(labels=labels))
    if len(kinds) > 1:
        say(f"{folder} may be {', '.join(kinds)}; read as {data_set.name}. --kind chooses another.")
    names = filters if filters is not None else _applicable(data_set)
    if section:
        names = [*names, "no-report", f"no-{section}"]
    chosen = filters_named(names)
    with _Reading() as reading:
        inventory = take_inventory(data_set, chosen, reading.step)
    show_inventory(inventory)
    if json_file is not None:
        json_file.write_bytes(to_json(inventory) + b"\n")
        say(f"Written to {json_file}.")


@app.command("filters")
def list_filters() -> None:
    """List the filters that `check --filter` knows, and what each leaves out."""
    from kdistill_core.datasets.filters import FILTERS

    made = [make() for make in FILTERS.values()]
    show_table(("filter", "leaves out"), [(one.name, one.sentence) for one in made])


@app.command("cache")
def cache(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that a training named as its cache.")],
) -> None:
    """Compare every prepared image with its checksum; damaged ones are named and will be prepared again.

    Ends with 1 where an image was damaged.
    """
    from kdistill_core.datasets.pixel_store import verify_stores

    checks = verify_stores(folder)
    for one in checks:
        for name in one.damaged:
            say(f"damaged, to be prepared again: {name}")
    show_table(
        ("store", "pixels a side", "images whole", "damaged"),
        [(one.folder.name, str(one.size), f"{one.images}", f"{len(one.damaged)}") for one in checks],
    )
    if any(one.damaged for one in checks):
        raise typer.Exit(REFUSED)


def _applicable(data_set: DataSet) -> list[str]:
    """Return the filters applied by default; a data set that labels nothing would lose everything to the last."""
    return ["missing-image", "not-frontal", *(["no-label"] if data_set.conditions else [])]


class _Reading:
    """Counts the studies read, on standard error."""

    def __init__(self) -> None:
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.completed:,} studies read"),
            TimeElapsedColumn(),
            console=err,
            disable=not err.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> _Reading:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def step(self, done: int) -> None:
        """Show that ``done`` studies have been read."""
        if err.is_terminal:
            self._bar.update(self._task, completed=done)
        elif done % _STEP == 0:
            say(f"{done:,} studies read")
