"""Gradient times activation on the student's feature map, through captum.

Summed over channels without averaging the gradient over places, this is HiResCAM (Draelos and Carin, 2020), whose map
sums to the score for a score that is linear in the feature map.
"""

from __future__ import annotations

from collections.abc import Callable

from captum.attr import LayerGradientXActivation
from torch import Tensor

from kdistill_core.saliency.targets import Target
from kdistill_core.student import StudentModel


def attribute(model: StudentModel, pixel_values: Tensor, target: Target, check: Callable[[], None]) -> Tensor:
    """Return the sum over channels of feature times gradient, [h, w], of either sign."""
    check()
    method = LayerGradientXActivation(lambda pixels: target.score(model, pixels), model.feature_layer)
    attributions: Tensor = method.attribute(pixel_values)
    return attributions[0].sum(0).detach()
