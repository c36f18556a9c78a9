"""Distillation of next-token distributions where the teacher's vocabulary is the student's.

The divergence is the generalized Jensen-Shannon divergence of on-policy distillation (Agarwal et al., ICLR 2024): of
the teacher's P, the student's Q and their mixture M = beta P + (1 - beta) Q it is
beta KL(P || M) + (1 - beta) KL(Q || M). Divided by beta it tends to the forward KL(P || Q) as beta goes to 0, and
divided by 1 - beta to the reverse KL(Q || P) as beta goes to 1; a beta of exactly 0 or 1 stands for these limits.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.losses.generation import IGNORED
from kdistill_core.distillation.losses.term import Term, mean

# The log-probability of what cannot happen: finite, so that 0 times it is 0, and far below every real one.
IMPOSSIBLE = -1e9
# Stored probabilities are rounded, so that the rest they leave is not known better than to this.
LEAST_REST = 1e-6


def distillation(student: Tensor, teacher: Tensor, labels: Tensor, beta: float, temperature: float) -> Term:
    """Return the generalized Jensen-Shannon divergence between two models' next-token distributions, in nats.

    student, teacher: logits float [B, T, V], as a causal language model gives them; the teacher gets no gradient.
    labels: int64 [B, T], not shifted: positions that predict a -100 are left out. temperature: divides the logits of
    both sides. Counts tokens. Raises DistillationError for vocabularies of unequal size, or settings out of range.
    """
    check_temperature(temperature)
    if student.shape[-1] != teacher.shape[-1]:
        raise DistillationError(
            f"The student has {student.shape[-1]} tokens, the teacher {teacher.shape[-1]}.",
            "Take a teacher with the student's tokenizer, or store its likeliest tokens and compare them as those of "
            "another vocabulary.",
        )
    counted = labels[:, 1:] != IGNORED
    told = torch.log_softmax(teacher.detach()[:, :-1][counted].float() / temperature, dim=-1)
    said = torch.log_softmax(student[:, :-1][counted].float() / temperature, dim=-1)
    each = divergence(told.clamp(min=IMPOSSIBLE), said.clamp(min=IMPOSSIBLE), beta)
    return mean(each, torch.ones_like(each))


def top_distillation(
    student: Tensor, token_ids: Tensor, token_probs: Tensor, labels: Tensor, beta: float, temperature: float
) -> Term:
    """Return the same divergence where only the teacher's likeliest tokens were stored.

    Each position has k + 1 outcomes on both sides: the stored tokens, and all others together. The temperature flattens
    these, because of how the others share their part nothing is known. Over a whole vocabulary this is
    :func:`distillation`.

    student: logits float [B, T, V]. token_ids: int64 [B, T, k], -1 where there is none; token_probs: float [B, T, k],
    their probabilities. Both stand where ``labels`` [B, T] has the token they tell of, so that their first position is
    never read. Positions without a stored token, or whose label is -100, are left out. Counts tokens. Raises
    DistillationError for ids that the student's vocabulary does not have, or settings out of range.
    """
    check_temperature(temperature)
    if token_ids.numel() and int(token_ids.max()) >= student.shape[-1]:
        raise DistillationError(
            f"The teacher's likeliest tokens go up to id {int(token_ids.max())}, but the student has "
            f"{student.shape[-1]} tokens.",
            "Set the vocabulary of the distillation term to `other`, which compares what is likely without its names.",
        )
    stored = (token_ids >= 0) & (token_probs > 0)
    counted = (labels[:, 1:] != IGNORED) & stored[:, 1:].any(-1)
    ids, stored = token_ids[:, 1:][counted].clamp(min=0), stored[:, 1:][counted]
    likely = token_probs[:, 1:][counted].float().masked_fill(~stored, 0.0)
    logits = student[:, :-1][counted].float()
    # Marked by counting, since padding may share its id with a stored token.
    named = torch.zeros_like(logits).scatter_add_(-1, ids, stored.float()) > 0
    # Where every token is named, no rest is left on either side.
    rest = rest_of(likely).log().masked_fill(named.all(-1, keepdim=True), IMPOSSIBLE)
    told = with_rest(likely.log(), rest, stored)
    whole = torch.logsumexp(logits, dim=-1, keepdim=True)
    others = torch.logsumexp(logits.masked_fill(named, IMPOSSIBLE), dim=-1, keepdim=True)
    said = with_rest(logits.gather(-1, ids) - whole, others - whole, stored)
    each = divergence(tempered(told, temperature), tempered(said, temperature), beta)
    return mean(each, torch.ones_like(each))


def divergence(teacher: Tensor, student: Tensor, beta: float) -> Tensor:
    """Return the divergence [...] of log-probabilities float32 [..., V]. Raises DistillationError for a bad beta."""
    if not 0 <= beta <= 1:
        raise DistillationError(f"The interpolation beta is {beta}.", "Choose it between 0 (forward) and 1 (reverse).")
    if beta == 0:
        return _relative_entropy(teacher, student)
    if beta == 1:
        return _relative_entropy(student, teacher)
    mixture = torch.logaddexp(teacher + math.log(beta), student + math.log1p(-beta))
    return beta * _relative_entropy(teacher, mixture) + (1 - beta) * _relative_entropy(student, mixture)


def with_rest(likely: Tensor, rest: Tensor, stored: Tensor) -> Tensor:
    """Return log-probabilities [..., k + 1] of k ``likely`` ones, IMPOSSIBLE where not ``stored``, and the ``rest``."""
    return torch.cat([likely.masked_fill(~stored, IMPOSSIBLE), rest], dim=-1)


def rest_of(likely: Tensor) -> Tensor:
    """Return what the ``likely`` probabilities [..., k] leave of 1, as [..., 1]."""
    return (1 - likely.sum(-1, keepdim=True)).clamp(min=LEAST_REST)


def tempered(log_probabilities: Tensor, temperature: float) -> Tensor:
    """Return log-probabilities [..., V] flattened by a temperature above 1, or sharpened by one below."""
    return torch.log_softmax(log_probabilities / temperature, dim=-1)


def check_temperature(temperature: float) -> None:
    """Raise DistillationError for a temperature that is not positive."""
    if temperature <= 0:
        raise DistillationError(f"The temperature of the distillation is {temperature}.", "Choose one above 0.")


def _relative_entropy(of: Tensor, to: Tensor) -> Tensor:
    return (of.exp() * (of - to)).sum(-1)
