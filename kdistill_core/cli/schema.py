"""`kdistill schema`: the JSON Schema of every record that leaves the program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from kdistill_core.cli.console import result

PUBLISHED = (
    "Comparison",
    "Explanation",
    "Finding",
    "Patient",
    "Provenance",
    "Radiograph",
    "Rationale",
    "Report",
    "SaliencyMap",
    "Study",
)


def schema_text(name: str) -> str:
    """Return the JSON Schema of the record called ``name``."""
    from kdistill_core import records
    from kdistill_core.serialization import json_schema

    return json.dumps(json_schema(getattr(records, name)), indent=2, sort_keys=True) + "\n"


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
