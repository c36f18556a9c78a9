"""`kdistill demo`: a bundled case explained, to see that everything works and what it looks like."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdistill_core.cli.console import REFUSED, out, result, say
from kdistill_core.cli.explain import Choices, explain_one
from kdistill_core.cli.options import DEFAULT_DEVICE, DeviceOption, ModelOption, SeedOption, TeacherOption
from kdistill_core.cli.outcomes import Outcome

if TYPE_CHECKING:
    from kdistill_core.records import Explanation

CASE = "cases/effusion.dcm"


def demo(
    out_dir: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to write to.")] = Path(
        "demo-output"
    ),
    model: ModelOption = None,
    teacher: TeacherOption = None,
    device: DeviceOption = DEFAULT_DEVICE,
    seed: SeedOption = 0,
    viewer: Annotated[
        bool, typer.Option("--viewer/--no-viewer", help="Open the viewer on the case where there is a display.")
    ] = True,
) -> None:
    """Explain a bundled case: a simulated radiograph with a pleural effusion."""
    from kdistill_core.cli.progress import Progressing
    from kdistill_core.cli.session import Session
    from kdistill_core.exchange.explanation_folder import read
    from kdistill_core.records import ImageSource
    from kdistill_core.resources import resource

    source = ImageSource(str(resource(CASE)))
    with Progressing(1) as progress, Session(progress.step) as session:
        session.load(model, teacher, device)
        outcome = explain_one(session, source, out_dir, Choices(seed))
        progress.done_with_one(f"{Path(outcome.file).name}: {outcome.outcome} in {outcome.seconds:.1f} s")
    if outcome.outcome is not Outcome.EXPLAINED:
        say(outcome.detail)
        raise typer.Exit(REFUSED)
    _summarize(read(out_dir))
    for path in sorted(out_dir.iterdir()):
        result(str(path))
    if viewer:
        _open_viewer()


def _summarize(explanation: Explanation) -> None:
    from kdistill_core.conditions import State
    from kdistill_core.exchange.presentation import probability_text

    result(explanation.notice)
    for finding in explanation.findings:
        if finding.state is State.POSITIVE and finding.probability is not None:
            result(f"  {finding.condition}: {probability_text(finding.probability)}")
    for who, rationale in (("Student", explanation.student), ("Teacher", explanation.teacher)):
        out.print(f"\n{who}: {rationale.text}", soft_wrap=not out.is_terminal)
    result("")


def _open_viewer() -> None:
    if not has_display():
        say("There is no display, so the viewer stays closed. With one: kdistill-viewer --demo")
        return
    command = shutil.which("kdistill-viewer", path=os.pathsep.join((str(Path(sys.executable).parent), os.defpath)))
    if command is None:
        say("The command kdistill-viewer is not installed beside this Python; the viewer stays closed.")
        return
    subprocess.Popen([command, "--demo"], start_new_session=True)
    say("The viewer is opening on this case.")


def has_display() -> bool:
    """Return whether a window can be opened."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
