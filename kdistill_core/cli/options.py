"""Options that several commands share, so that one name means one thing everywhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

DEFAULT_DEVICE = "auto"
DEFAULT_PRECISION = "float32"


def _known_device(name: str) -> str:
    if re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name) is None:
        raise typer.BadParameter(f"{name!r} is none of auto, cpu, cuda, cuda:N, mps.")
    return name


ModelOption = Annotated[
    Path | None, typer.Option("--model", metavar="DIR", help="Folder of the student model, where not the bundled one.")
]
TeacherOption = Annotated[
    Path | None,
    typer.Option(
        "--teacher", metavar="DIR", help="Folder of a rationale library (library.json), where not the bundled one."
    ),
]
DeviceOption = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="NAME",
        callback=_known_device,
        help="Where the models compute: auto, cpu, cuda, cuda:N, mps.",
    ),
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Seed of everything that is drawn.")]
PrecisionOption = Annotated[
    str, typer.Option("--precision", help="float32, bfloat16, float16, or auto for the device's own.")
]
KindOption = Annotated[
    str, typer.Option("--kind", metavar="NAME", help="Kind of data set, where the folder alone does not tell.")
]
LabelsOption = Annotated[
    str,
    typer.Option("--labels", metavar="NAME", help="Label set, where the data set has several, such as negbio."),
]
SplitOption = Annotated[str, typer.Option("--split", help="train, validation, test, or all of them.")]
