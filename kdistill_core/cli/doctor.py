"""`kdistill doctor`: what is there, what is missing, and the line that gets it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from kdistill_core.cli.console import DONE, REFUSED, err, out, result, say


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Look at versions, device, decoders, models and system packages.

    Ends with 1 where something that is needed is missing; what is optional is only told.
    """
    from kdistill_core.cli.inspection import Status, inspect

    with err.status("Looking ..."):
        checks = list(inspect())
    missing = any(check.status is Status.MISSING for check in checks)
    if as_json:
        result(json.dumps([asdict(check) for check in checks], indent=2))
        raise typer.Exit(REFUSED if missing else DONE)
    area = ""
    for check in checks:
        if check.area != area:
            area = check.area
            out.print(f"\n{area.capitalize()}", style="bold")
        mark = {Status.OK: "ok      ", Status.MISSING: "MISSING ", Status.OPTIONAL: "optional"}[check.status]
        style = {Status.OK: "", Status.MISSING: "bold red", Status.OPTIONAL: "yellow"}[check.status]
        out.print(f"  {mark} {check.name}: {check.detail}", style=style, soft_wrap=True)
        if check.remedy:
            out.print(f"           {check.remedy}", soft_wrap=True)
    out.print()
    say("Something that is needed is missing; the lines above get it." if missing else "Everything needed is there.")
    raise typer.Exit(REFUSED if missing else DONE)
