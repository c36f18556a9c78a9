"""The command `kdistill` and how it ends: 0 done, 1 refused or failed, 2 wrong usage.

A fault that has a name (a :class:`KDistillError`, or the operating system's refusal) is told in one line and its
advice; `--debug` shows where it came from.
"""

from __future__ import annotations

import logging
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import kdistill_core
from kdistill_core.cli import (
    corpus,
    data,
    demo,
    doctor,
    evaluate,
    explain,
    label,
    models,
    phantom,
    schema,
    student,
    teacher,
)
from kdistill_core.cli.console import REFUSED, report_problem, result
from kdistill_core.errors import KDistillError


class PlainFaults(TyperGroup):
    """Commands whose faults are told in plain words."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KDistillError as error:
            if ctx.params.get("debug"):
                raise
            report_problem(error)
        except OSError as error:
            if ctx.params.get("debug") or error.strerror is None:
                raise
            where = f"{error.filename}: " if error.filename else ""
            report_problem(KDistillError(f"{where}{error.strerror}.", "Check the path, its permissions and the disk."))
        raise typer.Exit(REFUSED)


app = typer.Typer(
    name="kdistill",
    cls=PlainFaults,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 done, 1 refused or failed, 2 wrong usage. "
    "Research software, not a medical device. Not for diagnosis.",
)
app.command("demo")(demo.demo)
app.command("explain")(explain.explain)
app.command("evaluate")(evaluate.evaluate)
app.command("label")(label.label)
app.add_typer(corpus.app, name="corpus")
app.add_typer(data.app, name="data")
app.add_typer(phantom.app, name="phantom")
app.add_typer(models.app, name="models")
app.add_typer(student.app, name="student")
app.add_typer(teacher.app, name="teacher")
app.command("doctor")(doctor.doctor)
app.command("schema")(schema.schema)


def _show_version(wanted: bool) -> None:
    if wanted:
        result(f"kdistill {kdistill_core.__version__}")
        raise typer.Exit


@app.callback()
def kdistill(
    debug: Annotated[bool, typer.Option("--debug", help="Show where a fault came from.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    """Explain chest radiographs: what the student says, where it looked, and what its teacher would say."""
    del version  # its callback has answered
    if not debug:
        # Libraries warn of odd headers and quote them; what matters of it is in our own words already.
        logging.captureWarnings(capture=True)
        logging.getLogger("py.warnings").addHandler(logging.NullHandler())
        logging.getLogger("py.warnings").propagate = False


if __name__ == "__main__":
    app()
