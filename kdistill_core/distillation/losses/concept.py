"""The loss of the signs that the teacher looks for."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from kdistill_core.distillation.losses.term import Term, mean


def concept(logits: Tensor, labels: Tensor) -> Term:
    """Return the binary cross-entropy over the teacher's signs, as in a concept bottleneck (Koh et al., ICML 2020).

    logits: float [B, C]; labels: float [B, C] of 1, 0 or NaN, which is left out. Counts labels.
    """
    targets = labels.float().nan_to_num()
    return mean(functional.binary_cross_entropy_with_logits(logits.float(), targets, reduction="none"), ~labels.isnan())
