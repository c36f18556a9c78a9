"""`kdistill schema`: the JSON Schema of every record that leaves the program."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from kdistill_core.cli.console import result

_RECORDS, _EVALUATION = "kdistill_core.records", "kdistill_core.evaluation.result"
# The module of each record that leaves the program.
PUBLISHED = {
    "Comparison": _RECORDS,
    "EvaluationResult": _EVALUATION,
    "Explanation": _RECORDS,
    "Finding": _RECORDS,
    "Patient": _RECORDS,
    "Provenance": _RECORDS,
    "Radiograph": _RECORDS,
    "Rationale": _RECORDS,
    "Report": _RECORDS,
    "SaliencyMap": _RECORDS,
    "Study": _RECORDS,
}


def schema_text(name: str) -> str:
    """Return the JSON Schema of the record called ``name``."""
    from kdistill_core.serialization import json_schema

    kind = getattr(import_module(PUBLISHED[name]), name)
    return json.dumps(json_schema(kind), indent=2, sort_keys=True) + "\n"


def file_name(name: str) -> str:
    """Return the name of the file that publishes a record's schema, such as ``saliency-map.schema.json``."""
    words = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).strip("-")
    return f"{words}.schema.json"


def schema(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to write to.")] = Path("schema"),
) -> None:
    """Write the JSON Schemas of the records."""
    out.mkdir(parents=True, exist_ok=True)
    for name in PUBLISHED:
        path = out / file_name(name)
        path.write_text(schema_text(name), encoding="utf-8")
        result(str(path))
