"""What transformers' backbones differ in: sizes they can take, and layers that can be recomputed."""

from __future__ import annotations

import inspect
from typing import Any

from torch import nn
from transformers.modeling_layers import GradientCheckpointingLayer

from kdistill_core.student.errors import StudentError

_FLAG = "interpolate_pos_encoding"
LARGEST = 1024  # pixels


def size_arguments(backbone: nn.Module, image_size: int) -> dict[str, Any]:
    """Return what ``backbone`` has to be called with so that it takes squares of ``image_size`` pixels.

    Raises StudentError where the size is no whole number of patches, where the backbone's positions cannot be
    interpolated to it, or where it is larger than 1,024.
    """
    config: Any = backbone.config
    if image_size > LARGEST:
        raise StudentError(f"An image size of {image_size} pixels is too large.", f"Use {LARGEST} or less.")
    patch = _side(getattr(config, "patch_size", None)) or 1
    if image_size % patch:
        down = image_size - image_size % patch
        raise StudentError(
            f"Images of {image_size} pixels are no whole number of the backbone's {patch}-pixel patches.",
            f"Set image_size to a multiple of {patch}, such as {down or patch} or {down + patch}.",
        )
    own = _side(getattr(config, "image_size", None))
    if own in (None, image_size):
        return {}
    for module in backbone.modules():
        if isinstance(getattr(module, "position_embeddings", None), nn.Parameter):
            return _interpolation(module, config.model_type, own, image_size)
    return {}


def checkpoint_layers(backbone: nn.Module) -> None:
    """Let gradient checkpointing reach the layers of backbones that do not offer it, such as ResNet and ConvNeXt.

    Their layers are found where they all keep them: ``encoder.stages[...].layers``.
    """
    if any(isinstance(module, GradientCheckpointingLayer) for module in backbone.modules()):
        return
    stages = getattr(getattr(backbone, "encoder", None), "stages", ())
    for layer in (layer for stage in stages for layer in getattr(stage, "layers", ())):
        kind = type(layer)
        layer.__class__ = type(kind.__name__, (GradientCheckpointingLayer, kind), {"__module__": kind.__module__})


def _interpolation(embeddings: nn.Module, kind: str, own: int | None, image_size: int) -> dict[str, Any]:
    if not hasattr(embeddings, _FLAG) and not hasattr(embeddings, "get_absolute_positions"):
        raise StudentError(
            f"The positions of a {kind} backbone of {own} pixels cannot be interpolated to {image_size}.",
            f"Set image_size to {own}, or use another backbone, such as dinov2, swin, convnext or resnet.",
        )
    # Some always interpolate, others where they are asked to.
    return {_FLAG: True} if _FLAG in inspect.signature(embeddings.forward).parameters else {}


def _side(size: Any) -> int | None:
    if isinstance(size, (list, tuple)):
        return int(size[0])
    return None if size is None else int(size)
