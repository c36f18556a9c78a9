"""The loss of the teacher's rationale, word by word."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from kdistill_core.distillation.losses.term import Term, mean

IGNORED = -100  # what a label of no token is, as everywhere in transformers


def generation(logits: Tensor, labels: Tensor) -> Term:
    """Return the cross-entropy of the teacher's rationale: sequence-level distillation (Kim and Rush, EMNLP 2016).

    logits: float [B, T, V]; labels: int64 [B, T], not shifted, -100 left out. Counts tokens.
    """
    counted = labels[:, 1:] != IGNORED
    # Chosen from the whole: the gradient of a slice is another copy of the largest tensor of a step.
    predicting = functional.pad(counted, (0, 1))
    each = functional.cross_entropy(logits[predicting].float(), labels[:, 1:][counted], reduction="none")
    return mean(each, torch.ones_like(each))
