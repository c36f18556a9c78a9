"""`kdistill student export`: a student as others can use it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kdistill_core.cli.console import result, say


def export(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The student's model folder.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="New folder to write.")],
    half: Annotated[bool, typer.Option("--half", help="Store the weights in half precision (float16).")] = False,
    onnx: Annotated[bool, typer.Option("--onnx", help="Also write the encoder as ONNX.")] = False,
) -> None:
    """Write a student for others to use: adapters merged, weights as safetensors, a model card beside them.

    The card states the hash of the source's weights and the whole configuration. The encoder as ONNX turns images into
    findings without K-Distill, transformers or torch; it writes no text.
    """
    from kdistill_core.student.export import export_student

    exported = export_student(folder, out, half=half, onnx=onnx)
    say(
        f"{exported.parameters / 1e6:.2f} million parameters in {exported.megabytes:.1f} MB"
        f"{', adapters merged' if exported.merged else ''}{', with the encoder as ONNX' if exported.onnx else ''}."
    )
    result(str(exported.folder))
