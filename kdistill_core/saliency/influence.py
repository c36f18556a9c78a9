"""How much the image counts for a target at all, which no map that is scaled to its own maximum can show."""

from __future__ import annotations

import torch
from torch import Tensor

from kdistill_core.saliency.targets import Target
from kdistill_core.student import StudentModel


@torch.no_grad()
def influence(model: StudentModel, pixel_values: Tensor, target: Target) -> float:
    """Return the target's score for the image less that for a uniform gray image (the model input's zero).

    For a text this is in nats: how much more likely its words are for having seen the image.
    """
    pair = torch.cat([pixel_values, torch.zeros_like(pixel_values)])
    seen, unseen = target.score(model, pair).float().tolist()
    return float(seen - unseen)
