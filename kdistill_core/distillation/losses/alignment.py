"""Agreement in meaning: the student's explanation embeddings against embeddings of the teacher's rationales."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from kdistill_core.distillation.losses.term import Term, mean


def alignment(student: Tensor, teacher: Tensor, same: Tensor, temperature: float) -> Term:
    """Return the contrastive loss between explanation embeddings and embeddings of the teacher's rationales.

    student, teacher: float [B, D]; same: bool [B, B], True where two cases have equal findings, which makes them
    positives of each other (the diagonal always is). InfoNCE (van den Oord et al. 2018) in both directions, the
    probability of all positives summed. Counts cases.
    """
    positive = same | torch.eye(len(same), dtype=torch.bool, device=same.device)
    scaled = _likeness(student, teacher) / temperature
    losses = [
        torch.logsumexp(rows, dim=-1) - torch.logsumexp(rows.masked_fill(~mask, float("-inf")), dim=-1)
        for rows, mask in ((scaled, positive), (scaled.T, positive.T))
    ]
    each = torch.stack(losses).mean(0)
    return mean(each, torch.ones_like(each))


def soft_alignment(student: Tensor, teacher: Tensor, overlap: Tensor, temperature: float) -> Term:
    """Return the contrastive loss whose targets are shared out by how much two cases have in common.

    student, teacher: float [B, D]; overlap: float [B, B] in [0, 1], 1 on the diagonal, such as of
    :func:`finding_overlap`. Cross-entropy of InfoNCE's probabilities to each row of ``overlap`` as shares of its sum,
    in both directions. Over nothing in common it is InfoNCE itself; else it ends at the targets' entropy, not at 0.
    Counts cases.
    """
    scaled = _likeness(student, teacher) / temperature
    losses = [
        -(shared / shared.sum(-1, keepdim=True) * torch.log_softmax(rows, dim=-1)).sum(-1)
        for rows, shared in ((scaled, overlap.float()), (scaled.T, overlap.float().T))
    ]
    each = torch.stack(losses).mean(0)
    return mean(each, torch.ones_like(each))


def finding_overlap(finding_sets: Tensor) -> Tensor:
    """Return how much the findings of cases overlap, float32 [B, B] in [0, 1]: Jaccard's index (1901).

    finding_sets: bool [B, K]. Two cases without any finding have all in common.
    """
    sets = finding_sets.bool()
    shared = (sets[:, None] & sets[None]).sum(-1)
    either = (sets[:, None] | sets[None]).sum(-1)
    return torch.where(either == 0, 1.0, shared.float() / either.clamp(min=1))


def cosine(student: Tensor, teacher: Tensor) -> Term:
    """Return the mean of 1 minus the cosine of each embedding and its target, in [0, 2].

    student, teacher: float [..., D]; a target of NaN is left out. Counts embeddings.
    """
    said = ~teacher.isnan().any(-1)
    each = 1 - functional.cosine_similarity(student[said].float(), teacher[said].float(), dim=-1)
    return mean(each, torch.ones_like(each))


def condition_alignment(student: Tensor, teacher: Tensor, temperature: float) -> Term:
    """Return the contrastive loss between a condition's image evidence and what the rationale says of that condition.

    student: float [B, K, D], the explanation embedding of each condition; teacher: float [B, K, D], the embedding of
    the rationale's sentences on it, NaN where it says nothing, which is left out. Negatives are the rationales of other
    conditions and of the same condition in other cases; where those are equal, as canonical rationales often are, they
    are positives. Counts pairs of case and condition.
    """
    said = ~teacher.isnan().any(-1)
    targets = teacher[said].float()
    if len(targets) == 0:
        # `unique` refuses to look for equal rows among none.
        return Term((student.float() * 0).sum(), 0.0)
    number = torch.unique(targets, dim=0, return_inverse=True)[1]
    return alignment(student[said], targets, number[:, None] == number[None], temperature)


def _likeness(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the cosines float32 [B, B]; a product in half precision would be too coarse for a low temperature."""
    with torch.autocast(student.device.type, enabled=False):
        return functional.normalize(student.float(), dim=-1) @ functional.normalize(teacher.float(), dim=-1).T
