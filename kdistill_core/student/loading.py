"""Opening a student checkpoint from a folder: safetensors only, nothing from the network, no remote code."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError

from kdistill_core.student.configuration import StudentConfig
from kdistill_core.student.errors import StudentError
from kdistill_core.student.modeling import StudentModel
from kdistill_core.student.processing import StudentProcessor

CONFIG_FILE = "config.json"
_FILES = (CONFIG_FILE, "processor_config.json", "tokenizer.json", "tokenizer_config.json")
_WEIGHT_FILES = ("model.safetensors", "model.safetensors.index.json")
_AGAIN = "Copy the whole model folder again, or make it again with training/student.py."


def load_student(folder: Path | str, dtype: torch.dtype = torch.float32) -> tuple[StudentModel, StudentProcessor]:
    """Return model, in evaluation mode on the CPU, and processor of the checkpoint in ``folder``.

    Raises StudentError where a file is missing, damaged, of another model, or does not fit the configuration.
    """
    folder = Path(folder)
    _check_files(folder)
    try:
        processor = StudentProcessor.from_pretrained(folder, local_files_only=True)
        loaded: Any = StudentModel.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            dtype=dtype,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # reported below, by name
        )
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        raise StudentError(f"The student in {folder} cannot be loaded: {_first_line(error)}.", _AGAIN) from error
    model, report = cast("tuple[StudentModel, dict[str, Any]]", loaded)
    for fault in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if report[fault]:
            name = sorted(key if isinstance(key, str) else key[0] for key in report[fault])[0]
            raise StudentError(
                f"The weights in {folder} do not fit their configuration ({fault.replace('_', ' ')}, such as {name}).",
                _fitting(name, model.config),
            )
    _check_fit(folder, model.config, processor)
    model.eval()  # type: ignore[no-untyped-call]
    return model, processor


def weights_sha256(folder: Path | str) -> str:
    """Return the hash of the checkpoint's weight files, in the order of their names. Raises StudentError."""
    digest = hashlib.sha256()
    files = sorted(Path(folder).glob("*.safetensors"))
    if not files:
        raise StudentError(f"The model folder {folder} holds no safetensors file.", _AGAIN)
    for path in files:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _check_files(folder: Path) -> None:
    if not folder.is_dir():
        raise StudentError(f"There is no model folder {folder}.", "Give the folder that holds config.json.")
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if not any((folder / name).is_file() for name in _WEIGHT_FILES):
        missing.append(_WEIGHT_FILES[0])
    if missing:
        raise StudentError(f"The model folder {folder} lacks {', '.join(missing)}.", _AGAIN)
    try:
        kind = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        raise StudentError(
            f"{folder / CONFIG_FILE} is not a model configuration: {_first_line(error)}", _AGAIN
        ) from error
    if kind != StudentConfig.model_type:
        raise StudentError(
            f"The model in {folder} is of type {kind!r}, not a student ({StudentConfig.model_type!r}).",
            "Give a folder that training/student.py wrote.",
        )


def _fitting(name: str, config: StudentConfig) -> str:
    """Return what to do about a tensor ``name`` that does not fit ``config``."""
    settings = {
        "concept_head": f"names {len(config.concepts)} `concepts`",
        "view_embedding": f"asks for {config.views} kinds of `views`",
        "condition_alignment_head": f"says condition_alignment: {str(config.condition_alignment).lower()}",
    }
    said = settings.get(name.partition(".")[0])
    if said is None:
        return _AGAIN
    return f"{CONFIG_FILE} {said}; give it what the weights were trained with, or copy the whole model folder again."


def _check_fit(folder: Path, config: StudentConfig, processor: StudentProcessor) -> None:
    words, rows = len(processor.tokenizer), config.text_config.vocab_size  # type: ignore[union-attr]
    if words > rows:
        raise StudentError(f"The tokenizer in {folder} has {words} entries, the model only {rows}.", _AGAIN)
    if processor.image_size != config.image_size:
        raise StudentError(
            f"The processor in {folder} makes images of {processor.image_size} pixels, the model was trained on "
            f"{config.image_size}.",
            _AGAIN,
        )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
