"""`kdistill models`: which models are there and what is known of them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from kdistill_core.cli.console import out, result, show_table
from kdistill_core.errors import KDistillError

CARD_NAME = "README.md"
_CONFIG_NAME = "config.json"
_ADAPTER_CONFIG_NAME = "adapter_config.json"

app = typer.Typer(no_args_is_help=True, help="The models that are there.")


class ModelError(KDistillError):
    """A model folder that is not there or lacks a file."""


@dataclass(frozen=True)
class ModelSummary:
    """A model folder at a glance; ``megabytes`` counts its weight files."""

    name: str
    kind: str
    folder: str
    megabytes: float
    weights_sha256: str


def bundled_models() -> list[ModelSummary]:
    """Return the models that came with the program, by name."""
    from kdistill_core.resources import resource

    names = (_CONFIG_NAME, _ADAPTER_CONFIG_NAME)
    folders = sorted(path.parent for name in names for path in resource("models").glob(f"*/{name}"))
    return [summarize(folder) for folder in folders]


def summarize(folder: Path) -> ModelSummary:
    """Return what the files of a model folder say. Raises ModelError, StudentError."""
    from kdistill_core.student.loading import weights_sha256

    configuration = read_configuration(folder)
    size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    kind = str(configuration.get("model_type") or configuration.get("peft_type") or "unknown")
    return ModelSummary(folder.resolve().name, kind, str(folder), round(size / 1e6, 1), weights_sha256(folder))


def read_configuration(folder: Path) -> dict[str, Any]:
    """Return a model folder's config.json, an adapter's adapter_config.json. Raises ModelError."""
    adapter = folder / _ADAPTER_CONFIG_NAME
    path = adapter if adapter.is_file() else folder / _CONFIG_NAME
    advice = "Give the name of a bundled model (kdistill models list) or a folder that holds config.json."
    if not folder.is_dir():
        raise ModelError(f"There is no model {folder}.", advice)
    try:
        configuration = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"The folder {folder} holds no {_CONFIG_NAME}, so it is not a model.", advice) from error
    except ValueError as error:
        raise ModelError(f"{path} is not JSON: {error}.", "Copy the model folder again.") from error
    if not isinstance(configuration, dict):
        raise ModelError(f"{path} does not hold a configuration.", "Copy the model folder again.")
    return configuration


@app.command("list")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """List the bundled models with their kind, size and hash."""
    models = bundled_models()
    if as_json:
        result(json.dumps([asdict(model) for model in models], indent=2))
        return
    show_table(
        ("name", "kind", "megabytes", "weights sha256", "folder"),
        [(m.name, m.kind, f"{m.megabytes:.1f}", m.weights_sha256, m.folder) for m in models],
    )


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME|DIR", help="A bundled model's name, or a model folder.")],
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Show one model: its files, its configuration and its card with the measured scores."""
    from rich.markdown import Markdown

    folder = folder_of(name)
    summary, configuration = summarize(folder), read_configuration(folder)
    card_path = folder / CARD_NAME
    card = card_path.read_text(encoding="utf-8") if card_path.is_file() else ""
    if as_json:
        result(json.dumps({**asdict(summary), "configuration": configuration, "card": card}, indent=2))
        return
    show_table(("property", "value"), [(key, str(value)) for key, value in asdict(summary).items()])
    if not card:
        result("This model has no card, so nothing is known of how good it is.")
    elif out.is_terminal:
        out.print(Markdown(_body(card)))
    else:
        result(_body(card))


def folder_of(name: str) -> Path:
    """Return the folder of a bundled model by its name, or the folder itself. Raises ModelError."""
    from kdistill_core.resources import ResourceError, resource

    if Path(name).is_dir():
        return Path(name)
    try:
        # A name, never a path: nothing outside the bundled models is looked up this way.
        return resource(f"models/{Path(name).name}")
    except ResourceError as error:
        raise ModelError(
            f"There is no model called {name}, and no folder of that name.",
            "See `kdistill models list`, or give a model folder.",
        ) from error


def _body(card: str) -> str:
    """Return a model card without the metadata block it may begin with."""
    if card.startswith("---\n"):
        _, _, rest = card[4:].partition("\n---\n")
        return rest or card
    return card
