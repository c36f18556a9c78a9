"""The loss of the conditions, with what an uncertain label, a blank one and a rare one count as."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum

import torch
from torch import Tensor
from torch.nn import functional

from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.losses.term import Term, mean

POSITIVE, NEGATIVE, UNCERTAIN = 1.0, 0.0, -1.0  # and NaN for blank, as in CheXpert's tables
# The middle of the interval that Pham et al. (Neurocomputing 2021) draw their smoothed labels from.
SMOOTHED_ONE = 0.7
# Half the distance of the two thresholds between negative, uncertain and positive: at a logit of 0 all three are
# equally likely.
UNCERTAIN_HALF_WIDTH = math.log(2)
# Keeps the slope of the focal factor finite where a prediction is exact.
_LEAST_ERROR = 1e-6


class UncertainPolicy(StrEnum):
    """What an uncertain label counts as (Irvin et al., AAAI 2019)."""

    IGNORE = "ignore"
    ZEROS = "zeros"
    ONES = "ones"
    SMOOTHED = "smoothed"
    MULTI_CLASS = "multi_class"


_TARGET_OF_UNCERTAIN = {
    UncertainPolicy.IGNORE: float("nan"),
    UncertainPolicy.ZEROS: 0.0,
    UncertainPolicy.ONES: 1.0,
    UncertainPolicy.SMOOTHED: SMOOTHED_ONE,
    UncertainPolicy.MULTI_CLASS: UNCERTAIN,
}


def classification(
    logits: Tensor,
    labels: Tensor,
    policies: Sequence[UncertainPolicy],
    *,
    soft_labels: Tensor | None = None,
    soft_weight: float = 1.0,
    focusing: float = 0.0,
    positive_weights: Sequence[float] = (),
) -> Term:
    """Return the cross-entropy over the conditions, blank masked, uncertain by each condition's policy.

    logits: float [B, K]; labels: float [B, K] of 1, 0, -1 (uncertain) or NaN (blank). Counts labels.

    Under MULTI_CLASS a condition has three classes, as in Irvin et al. (2019). They come from its one logit by two
    thresholds, the proportional odds of McCullagh (1980): positive has the probability sigmoid(logit - w), negative
    sigmoid(-logit - w), uncertain what is left, w being UNCERTAIN_HALF_WIDTH. A hedge lies between yes and no, which is
    what this says, and all that reads the logit (ranks, thresholds, calibration) goes on as under the other policies;
    but its sigmoid is no probability before it is calibrated.

    soft_labels: float [B, K] in [0, 1] or NaN, the target where ``labels`` is blank; such a label counts as
    ``soft_weight``. focusing: the gamma of the focal loss (Lin et al., ICCV 2017); 0 for none. Its factor is how far
    the prediction is from the target, 1 - p of a hard one, which carries over to soft ones (Li et al., NeurIPS 2020).
    positive_weights: [K], what the loss of a positive is multiplied by; empty for 1.

    Raises DistillationError for policies or weights of another number than the conditions.
    """
    conditions = logits.shape[-1]
    _check(len(policies), conditions, "policies for uncertain labels")
    _check(len(positive_weights) or conditions, conditions, "weights of positives")
    values, counted = _targets(labels.float(), soft_labels, soft_weight, policies)
    targets = torch.stack([1 - values, torch.zeros_like(values), values], dim=-1)
    hedged = torch.tensor([0.0, 1.0, 0.0], device=values.device)
    targets = torch.where((values == UNCERTAIN).unsqueeze(-1), hedged, targets)
    predicted = _log_probabilities(logits.float(), policies)
    surprise = -targets * predicted
    if positive_weights:
        surprise = surprise * torch.stack(
            [torch.ones(conditions), torch.ones(conditions), torch.tensor(positive_weights)], dim=-1
        ).to(surprise)
    each = surprise.sum(-1)
    if focusing:
        error = (targets - predicted.exp()).abs().sum(-1) / 2
        each = each * error.clamp(min=_LEAST_ERROR) ** focusing
    return mean(each, counted)


def positive_weights_of(labels: Tensor, most: float = 10.0) -> tuple[float, ...]:
    """Return the weight of positives per condition under which both sides weigh the same: negatives over positives.

    labels: float [N, K] of 1, 0, -1 or NaN; of these 1 and 0 are counted. Limited to [1 / most, most]; 1 for a
    condition that lacks either.
    """
    positives, negatives = (labels == POSITIVE).sum(0).double(), (labels == NEGATIVE).sum(0).double()
    ratio = (negatives / positives.clamp(min=1)).clamp(1 / most, most)
    return tuple(torch.where((positives > 0) & (negatives > 0), ratio, 1.0).tolist())


def _targets(
    labels: Tensor, soft_labels: Tensor | None, soft_weight: float, policies: Sequence[UncertainPolicy]
) -> tuple[Tensor, Tensor]:
    """Return the target [B, K], in [0, 1] or UNCERTAIN, and what it counts as, 0 where there is none."""
    substitutes = labels.new_tensor([_TARGET_OF_UNCERTAIN[policy] for policy in policies])
    resolved = torch.where(labels == UNCERTAIN, substitutes, labels)
    counted = (~resolved.isnan()).float()
    if soft_labels is not None:
        filled = labels.isnan() & ~soft_labels.isnan()
        resolved = torch.where(filled, soft_labels.to(labels), resolved)
        counted = torch.where(filled, soft_weight, counted)
    return resolved.nan_to_num(), counted


def _log_probabilities(logits: Tensor, policies: Sequence[UncertainPolicy]) -> Tensor:
    """Return log-probabilities [B, K, 3] of negative, uncertain and positive; uncertain is impossible for two classes.

    Of a = logit + w and b = logit - w, sigmoid(a) - sigmoid(b) is sigmoid(a) sigmoid(-b) (1 - exp(b - a)), whose
    logarithm is exact far from 0 as well.
    """
    three = [policy is UncertainPolicy.MULTI_CLASS for policy in policies]
    width = logits.new_tensor([UNCERTAIN_HALF_WIDTH * is_three for is_three in three])
    negative, positive = functional.logsigmoid(-logits - width), functional.logsigmoid(logits - width)
    between = functional.logsigmoid(logits + width) + functional.logsigmoid(width - logits)
    between = between + math.log1p(-math.exp(-2 * UNCERTAIN_HALF_WIDTH))
    # Far below every real one, and finite: times a target of 0 it is 0.
    between = torch.where(torch.tensor(three, device=logits.device), between, -1e9)
    return torch.stack([negative, between, positive], dim=-1)


def _check(given: int, conditions: int, what: str) -> None:
    if given != conditions:
        raise DistillationError(
            f"There are {given} {what}, but the student has {conditions} conditions.",
            "Give one per condition, in the order of the student's configuration.",
        )
