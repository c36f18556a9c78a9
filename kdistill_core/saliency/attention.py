"""The attention of a condition's query over the feature map, averaged over heads.

It shows what the query read, not what raised or lowered its score (Jain and Wallace, NAACL 2019).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor

from kdistill_core.saliency.errors import SaliencyError
from kdistill_core.saliency.targets import ConditionTarget, Target
from kdistill_core.student import StudentModel


@torch.no_grad()
def attribute(model: StudentModel, pixel_values: Tensor, target: Target, check: Callable[[], None]) -> Tensor:
    """Return the attention [h, w], not negative and summing to 1."""
    if not isinstance(target, ConditionTarget):
        raise SaliencyError("The condition queries' attention explains conditions only.")
    check()
    attention = cast("Tensor", model.encode(pixel_values).condition_attention)
    return attention[0, target.index]
