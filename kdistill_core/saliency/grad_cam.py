"""Grad-CAM (Selvaraju et al., ICCV 2017) on the student's feature map, through captum."""

from __future__ import annotations

from collections.abc import Callable

from captum.attr import LayerGradCam
from torch import Tensor

from kdistill_core.saliency.targets import Target
from kdistill_core.student import StudentModel


def attribute(model: StudentModel, pixel_values: Tensor, target: Target, check: Callable[[], None]) -> Tensor:
    """Return the sum over channels of feature times mean gradient, [h, w], of either sign."""
    check()
    method = LayerGradCam(lambda pixels: target.score(model, pixels), model.feature_layer)
    attributions: Tensor = method.attribute(pixel_values)
    return attributions[0, 0].detach()
