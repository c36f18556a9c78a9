"""A trained model as it is handed on: half-precision weights, and its base by name instead of by somebody's path."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def finish_adapter(trained: Path, base: str, out: Path) -> None:
    """Write the adapter in ``trained`` to ``out``, its weights as float16. base: name or folder of its model."""
    arriving = _emptied(out)
    weights = load_file(trained / ADAPTER_WEIGHTS)
    halved = {name: tensor.to(torch.float16).contiguous() for name, tensor in weights.items()}
    save_file(halved, arriving / ADAPTER_WEIGHTS, {"format": "pt"})
    configuration = json.loads((trained / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    configuration["base_model_name_or_path"] = base
    configuration["inference_mode"] = True
    (arriving / ADAPTER_CONFIG).write_text(json.dumps(configuration, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    _arrive(arriving, out)


def finish_model(trained: Path, base: Path, out: Path) -> None:
    """Write the whole model in ``trained`` to ``out``, in bfloat16, with the tokenizer of ``base``."""
    arriving = _emptied(out)
    model = AutoModelForCausalLM.from_pretrained(
        trained, local_files_only=True, use_safetensors=True, dtype=torch.bfloat16
    )
    model.config.use_cache = True
    model.save_pretrained(arriving)
    AutoTokenizer.from_pretrained(base, local_files_only=True).save_pretrained(arriving)
    _arrive(arriving, out)


def _emptied(out: Path) -> Path:
    arriving = out.with_name(out.name + ".arriving")
    shutil.rmtree(arriving, ignore_errors=True)
    arriving.mkdir(parents=True)
    return arriving


def _arrive(arriving: Path, out: Path) -> None:
    """Put the finished folder in its place, all of it or nothing."""
    shutil.rmtree(out, ignore_errors=True)
    arriving.replace(out)
