"""Weights of others as tensors by name: safetensors, files of tensors alone, and transformers folders."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoConfig, PreTrainedConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_BACKBONE_MAPPING

from kdistill_core.student.errors import StudentError

_WRAPPERS = ("state_dict", "model_state_dict", "model")
_PREFIX = "module."  # of models that were trained in parallel
# A backbone norms its maps itself, which a plain model does not; they start as the identity.
_OWN_TO_BACKBONES = "hidden_states_norms."


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors in a file by name. Raises StudentError where it is damaged or holds more than tensors."""
    try:
        given: Any = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except FileNotFoundError as error:
        raise StudentError(f"There is no weight file {path}.", "Give a file of weights or a model folder.") from error
    except pickle.UnpicklingError as error:
        raise StudentError(
            f"{path} holds more than tensors, or is damaged; to open it could run code, so it is refused.",
            "Where it was made, store the weights alone: torch.save(model.state_dict(), FILE).",
        ) from error
    except (SafetensorError, RuntimeError, EOFError, ValueError) as error:
        raise StudentError(f"{path} cannot be read as weights.", "Copy the file again.") from error
    for name in _WRAPPERS:
        if isinstance(given, Mapping) and isinstance(given.get(name), Mapping):
            given = given[name]
    if not isinstance(given, Mapping) or not all(isinstance(value, Tensor) for value in given.values()):
        raise StudentError(
            f"{path} is not a table of tensors.", "Store the weights alone: torch.save(model.state_dict(), FILE)."
        )
    return {str(name).removeprefix(_PREFIX): tensor for name, tensor in given.items()}


def read_backbone_folder(
    folder: Path, out_features: Sequence[str] | None
) -> tuple[PreTrainedConfig, dict[str, Tensor], tuple[str, ...]]:
    """Return configuration, state dict and unused tensors' names of the transformers model in ``folder``.

    Any model whose kind has a backbone will do, with its head or without; what it is made of besides is left out.
    Raises StudentError where the kind has no backbone, or the files are damaged or lack a tensor.
    """
    try:
        config: Any = AutoConfig.from_pretrained(folder, local_files_only=True)
        if type(config) not in MODEL_FOR_BACKBONE_MAPPING:
            raise StudentError(
                f"The model in {folder} is of type {config.model_type!r}, which is no image backbone.",
                "Known are, among others, convnext, convnextv2, dinov2, resnet and swin.",
            )
        if out_features is not None:
            config.out_features = list(out_features)
        kind: Any = MODEL_FOR_BACKBONE_MAPPING[type(config)]
        loaded: Any = kind.from_pretrained(
            folder, config=config, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise StudentError(
            f"The backbone in {folder} cannot be loaded: {said}",
            "It needs config.json and model.safetensors of a transformers model.",
        ) from error
    model, report = loaded
    lacking = [name for name in report["missing_keys"] if not name.startswith(_OWN_TO_BACKBONES)]
    if lacking:
        raise StudentError(
            f"The weights in {folder} lack {len(lacking)} of the backbone's, such as {sorted(lacking)[0]}.",
            "Copy the folder again, or check that config.json belongs to the weights.",
        )
    return config, model.state_dict(), tuple(sorted(report["unexpected_keys"]))
