"""A loss term with the count it averages over, and the weighted sum of several."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from kdistill_core.distillation.errors import DistillationError


@dataclass(frozen=True)
class Term:
    """The mean ``value`` (float32 scalar, with gradient) of a loss over ``count`` items; 0 over none.

    An item of less weight than the others counts as its weight.
    """

    value: Tensor
    count: float


def mean(each: Tensor, counted: Tensor) -> Term:
    """Return the mean of ``each`` (any shape) over what is ``counted``: bool, or float weights, of the same shape."""
    count = float(counted.sum())
    # What is left out may be infinite; multiplying it by 0 would give NaN.
    total = (torch.where(counted > 0, each, torch.zeros_like(each)) * counted).sum()
    return Term(total / (count or 1.0), count)


def compute_terms(terms: Mapping[str, Callable[[], Term]], weights: Mapping[str, float]) -> dict[str, Term]:
    """Return those of the ``terms`` that have a weight; the others are not computed.

    Raises DistillationError for a weight of an unknown term, or where no term is left.
    """
    unknown = sorted(set(weights) - set(terms))
    if unknown:
        raise DistillationError(f"There is no loss term {unknown[0]!r}.", f"Choose from {', '.join(sorted(terms))}.")
    computed = {name: terms[name]() for name, weight in weights.items() if weight != 0}
    if not computed:
        raise DistillationError("Every term of the objective has weight 0.", "Give at least one term a weight.")
    return computed


def weighted_sum(terms: Mapping[str, Term], weights: Mapping[str, float]) -> tuple[Tensor, dict[str, float]]:
    """Return the sum of the ``terms`` by weight, and what to log of each: raw, weighted and its count."""
    logged: dict[str, float] = {}
    for name, term in terms.items():
        logged[f"{name}/raw"] = float(term.value.detach())
        logged[f"{name}/weighted"] = weights[name] * float(term.value.detach())
        logged[f"{name}/count"] = float(term.count)
    return torch.stack([weights[name] * term.value for name, term in terms.items()]).sum(), logged
