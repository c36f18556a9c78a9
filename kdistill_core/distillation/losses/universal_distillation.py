"""Distillation of next-token distributions across vocabularies (Boizard et al., 2024).

Tokens of two vocabularies cannot be named alike, but how likely the likeliest is, and the second likeliest, can be
compared: the distance is the sum of absolute differences of the sorted probabilities, the Wasserstein distance where
every token is as far from every other. The first token of a text meets the first one of the other tokenizer, and so on
to the end of the shorter.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from kdistill_core.distillation.losses.distillation import (
    IMPOSSIBLE,
    check_temperature,
    rest_of,
    tempered,
    with_rest,
)
from kdistill_core.distillation.losses.generation import IGNORED
from kdistill_core.distillation.losses.term import Term, mean


def universal_distillation(
    student: Tensor, labels: Tensor, teacher: Tensor, teacher_labels: Tensor, temperature: float
) -> Term:
    """Return the distance of the sorted next-token probabilities, in [0, 2].

    student: logits float [B, T, V]; labels: int64 [B, T], not shifted, -100 left out; teacher [B, U, W] and
    teacher_labels [B, U]: the same of the teacher, which gets no gradient. temperature: divides the logits of both
    sides. Counts pairs of tokens.
    """
    check_temperature(temperature)
    ours, theirs = _paired(labels[:, 1:] != IGNORED, teacher_labels[:, 1:] != IGNORED)
    said = _sorted(torch.softmax(student[:, :-1][ours].float() / temperature, dim=-1))
    told = _sorted(torch.softmax(teacher.detach()[:, :-1][theirs].float() / temperature, dim=-1))
    size = max(said.shape[-1], told.shape[-1])
    each = (_padded(said, size) - _padded(told, size)).abs().sum(-1)
    return mean(each, torch.ones_like(each))


def universal_top_distillation(student: Tensor, labels: Tensor, token_probs: Tensor, temperature: float) -> Term:
    """Return the same distance where only the teacher's likeliest probabilities were stored, the rest as one.

    It is never above :func:`universal_distillation`, at a temperature of 1. The temperature flattens the k + 1 outcomes
    of both sides.

    student: logits float [B, T, V], V at least k; labels: int64 [B, T], not shifted, -100 left out. token_probs:
    float [B, U, k], 0 where there is none, by the teacher's own tokens: position 0 is the begin of the text and never
    read; positions without a probability are left out. Counts pairs of tokens.
    """
    check_temperature(temperature)
    ours, theirs = _paired(labels[:, 1:] != IGNORED, (token_probs[:, 1:] > 0).any(-1))
    likely = _sorted(token_probs[:, 1:][theirs].float())
    stored = likely > 0
    told = with_rest(likely.log(), rest_of(likely).log(), stored)
    ranked = torch.log_softmax(student[:, :-1][ours].float(), dim=-1).sort(-1, descending=True).values
    # Where fewer were stored than elsewhere, the student's further ones belong to the rest.
    ranks = torch.arange(ranked.shape[-1], device=ranked.device)
    beyond = ranked.masked_fill(ranks < stored.sum(-1, keepdim=True), IMPOSSIBLE)
    said = with_rest(ranked[:, : likely.shape[-1]], torch.logsumexp(beyond, dim=-1, keepdim=True), stored)
    each = (tempered(said, temperature).exp() - tempered(told, temperature).exp()).abs().sum(-1)
    return mean(each, torch.ones_like(each))


def _paired(ours: Tensor, theirs: Tensor) -> tuple[Tensor, Tensor]:
    """Return masks [B, T] and [B, U] of the first n counted positions of either side, n being what both have."""
    both = torch.minimum(ours.sum(-1), theirs.sum(-1)).unsqueeze(-1)
    return ours & (ours.cumsum(-1) <= both), theirs & (theirs.cumsum(-1) <= both)


def _sorted(probabilities: Tensor) -> Tensor:
    return probabilities.sort(dim=-1, descending=True).values


def _padded(probabilities: Tensor, size: int) -> Tensor:
    return functional.pad(probabilities, (0, size - probabilities.shape[-1]))
