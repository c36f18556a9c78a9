"""Integrated gradients (Sundararajan et al., ICML 2017) on the feature map, from that of a uniform gray image."""

from __future__ import annotations

from collections.abc import Callable

import torch
from captum.attr import LayerIntegratedGradients
from torch import Tensor

from kdistill_core.saliency.targets import Target
from kdistill_core.student import StudentModel

# Gauss-Legendre points: at 16 the map of the demo student sums to the score difference within a few percent.
_STEPS = 16


def attribute(model: StudentModel, pixel_values: Tensor, target: Target, check: Callable[[], None]) -> Tensor:
    """Return the path integral of the gradient, summed over channels, [h, w], of either sign.

    ``check`` is called at each step; the gray is the model input's zero. The map sums to
    the score of the image less that of the gray one.
    """

    def score(pixels: Tensor) -> Tensor:
        check()
        return target.score(model, pixels)

    method = LayerIntegratedGradients(score, model.feature_layer)
    attributions: Tensor = method.attribute(
        pixel_values, torch.zeros_like(pixel_values), n_steps=_STEPS, internal_batch_size=1
    )
    return attributions[0].sum(0).detach()
