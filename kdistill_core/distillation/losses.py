"""The terms of the distillation objective: pure functions that return a value and the count it averages over.

The teacher appears as its rationale (``generation``), as the embedding of that rationale (``alignment``) and as the
findings both were made from (``classification``). A weight of 0 switches a term off: it is not even computed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor
from torch.nn import functional

from kdistill_core.distillation.errors import DistillationError

POSITIVE, NEGATIVE, UNCERTAIN = 1.0, 0.0, -1.0  # and NaN for blank, as in CheXpert's tables
# The middle of the interval that Pham et al. (Neurocomputing 2021) draw their smoothed labels from.
SMOOTHED_ONE = 0.7


class UncertainPolicy(StrEnum):
    """What an uncertain label counts as (Irvin et al., AAAI 2019)."""

    IGNORE = "ignore"
    ZEROS = "zeros"
    ONES = "ones"
    SMOOTHED = "smoothed"


_TARGET_OF_UNCERTAIN = {
    UncertainPolicy.IGNORE: float("nan"),
    UncertainPolicy.ZEROS: 0.0,
    UncertainPolicy.ONES: 1.0,
    UncertainPolicy.SMOOTHED: SMOOTHED_ONE,
}


@dataclass(frozen=True)
class Term:
    """The mean ``value`` (scalar, with gradient) of a loss over ``count`` items; 0 over none."""

    value: Tensor
    count: int


def generation(logits: Tensor, labels: Tensor) -> Term:
    """Return the cross-entropy of the teacher's rationale: sequence-level distillation (Kim and Rush, EMNLP 2016).

    logits: [B, T, V]; labels: int64 [B, T], not shifted, -100 left out. Counts tokens.
    """
    told, expected = logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten()
    return _mean(functional.cross_entropy(told, expected, ignore_index=-100, reduction="none"), expected != -100)


def alignment(student: Tensor, teacher: Tensor, same: Tensor, temperature: float) -> Term:
    """Return the contrastive loss between explanation embeddings and embeddings of the teacher's rationales.

    student, teacher: [B, D]; same: bool [B, B], True where two cases have equal findings, which makes them positives
    of each other (the diagonal always is). InfoNCE (van den Oord et al. 2018) in both directions, the probability of
    all positives summed. Counts cases.
    """
    likeness = functional.normalize(student.float(), dim=-1) @ functional.normalize(teacher.float(), dim=-1).T
    positive = same | torch.eye(len(same), dtype=torch.bool, device=same.device)
    scaled = likeness / temperature
    losses = [
        torch.logsumexp(rows, dim=-1) - torch.logsumexp(rows.masked_fill(~mask, float("-inf")), dim=-1)
        for rows, mask in ((scaled, positive), (scaled.T, positive.T))
    ]
    each = torch.stack(losses).mean(0)
    return _mean(each, torch.ones_like(each, dtype=torch.bool))


def classification(logits: Tensor, labels: Tensor, policies: Sequence[UncertainPolicy]) -> Term:
    """Return the binary cross-entropy over the conditions, blank masked, uncertain by each condition's policy.

    logits: [B, K]; labels: float [B, K] of 1, 0, -1 (uncertain) or NaN (blank). Counts labels.
    """
    substitutes = torch.tensor([_TARGET_OF_UNCERTAIN[policy] for policy in policies], device=labels.device)
    targets = torch.where(labels == UNCERTAIN, substitutes.to(labels), labels)
    known = ~targets.isnan()
    each = functional.binary_cross_entropy_with_logits(logits.float(), targets.nan_to_num().float(), reduction="none")
    return _mean(each, known)


def weighted_sum(
    terms: Mapping[str, Callable[[], Term]], weights: Mapping[str, float]
) -> tuple[Tensor, dict[str, float]]:
    """Return the sum of the terms that have a weight, and what to log of each: raw, weighted and its count.

    Raises DistillationError for a weight of an unknown term, or where no term is left.
    """
    unknown = sorted(set(weights) - set(terms))
    if unknown:
        raise DistillationError(f"There is no loss term {unknown[0]!r}.", f"Choose from {', '.join(sorted(terms))}.")
    computed = {name: terms[name]() for name, weight in weights.items() if weight != 0}
    if not computed:
        raise DistillationError("Every term of the objective has weight 0.", "Give at least one term a weight.")
    logged: dict[str, float] = {}
    for name, term in computed.items():
        logged[f"{name}/raw"] = float(term.value.detach())
        logged[f"{name}/weighted"] = weights[name] * float(term.value.detach())
        logged[f"{name}/count"] = float(term.count)
    return torch.stack([weights[name] * term.value for name, term in computed.items()]).sum(), logged


def _mean(each: Tensor, counted: Tensor) -> Term:
    count = int(counted.sum())
    # Dividing by at least 1 keeps an empty batch at 0, with a gradient of 0.
    return Term(torch.where(counted, each, torch.zeros_like(each)).sum() / max(count, 1), count)
