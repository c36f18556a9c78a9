"""A step's loss as the mean over everything in the step: all its micro-batches, in all processes.

A term is a mean over tokens, labels or cases, of which batches hold unequally many. The mean of such means would let a
word in a batch of short texts weigh more than one in a batch of long ones, and two processes would teach otherwise than
one. So every term counts by its share of the step's items. The contrast of whole cases is the exception: it is taken
over the cases of all processes at once, a micro-batch at a time, because cases can only be told from others in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from kdistill_core.distillation.losses import Term, classification
from kdistill_core.distillation.losses.generation import IGNORED
from kdistill_core.distillation.objective import (
    ALIGNMENT,
    CLASSIFICATION,
    CONCEPT,
    DISTILLATION,
    GENERATION,
    Objective,
    Vocabulary,
)
from kdistill_core.distillation.processes import gathered, process_count, summed
from kdistill_core.student.modeling import StudentOutput

# What the contrast of the alignment term compares across processes: targets, and the student's outputs.
CONTRASTED_TARGETS = ("teacher_embeddings", "groups", "finding_sets", "condition_embeddings_of_teacher")
CONTRASTED_OUTPUTS = ("explanation_embedding", "condition_explanations")


def items_of(batch: Mapping[str, Tensor], objective: Objective, names: Sequence[str]) -> Tensor:
    """Return how many items each of the terms ``names`` averages over in a batch, float64 [terms]."""
    return torch.tensor([_items(batch, objective, name) for name in names], dtype=torch.float64)


def items_of_step(batches: Sequence[Mapping[str, Tensor]], objective: Objective, names: Sequence[str]) -> Tensor:
    """Return the same, float64 [terms], over the micro-batches of a step in all processes."""
    own = torch.stack([items_of(batch, objective, names) for batch in batches]).sum(0)
    device = next(iter(batches[0].values())).device
    # float64 is not to be had on every device, and counts stay far below what float32 holds exactly.
    return summed(own.float().to(device)).double().cpu()


def shares_of(terms: Mapping[str, Term], whole: Mapping[str, float], batches: int) -> dict[str, float]:
    """Return what to multiply each term by, so that the mean over micro-batches and processes is the step's own mean.

    whole: items of the step. batches: micro-batches of a process in the step. A term that has no item anywhere, and the
    contrast, which every process takes over all of them, stay as they are.
    """
    spread = batches * process_count()
    return {
        name: term.count * spread / whole[name] if name != ALIGNMENT and whole[name] else 1.0
        for name, term in terms.items()
    }


def terms_of_all(
    objective: Objective, model: nn.Module, batch: Mapping[str, Tensor], weights: Mapping[str, float]
) -> tuple[dict[str, Term], StudentOutput]:
    """Return the objective's terms, the contrast of cases taken over those of all processes, and the student's output.

    To be asked in all processes at once; see :meth:`.objective.Objective.terms`.
    """
    if process_count() == 1 or not weights.get(ALIGNMENT):
        return objective.terms(model, batch, weights)

    def looking(**inputs: Any) -> StudentOutput:
        output: StudentOutput = model(**inputs)
        for name in CONTRASTED_OUTPUTS:
            value = getattr(output, name)
            setattr(output, name, value if value is None else gathered(value))
        return output

    everyone = {name: gathered(value) if name in CONTRASTED_TARGETS else value for name, value in batch.items()}
    # Called like the model that it wraps, which is all that the objective does with it.
    return objective.terms(cast("nn.Module", looking), everyone, weights)


def _items(batch: Mapping[str, Tensor], objective: Objective, name: str) -> float:
    counting = {
        GENERATION: lambda: (batch["labels"][:, 1:] != IGNORED).sum(),
        DISTILLATION: lambda: _tokens_compared(batch, objective),
        CLASSIFICATION: lambda: _labels(batch, objective),
        CONCEPT: lambda: (~batch["concept_labels"].isnan()).sum(),
        ALIGNMENT: lambda: len(batch["groups"]),
    }
    counted: Any = counting[name]()  # type: ignore[no-untyped-call]
    return float(counted)


def _labels(batch: Mapping[str, Tensor], objective: Objective) -> float:
    labels, soft_weight = batch["condition_labels"], objective.classification.soft_weight
    soft = batch["soft_labels"] if soft_weight else None
    # Counted by the loss itself, which knows what a policy leaves out.
    guess = torch.zeros_like(labels)
    return classification(guess, labels, objective.policies, soft_labels=soft, soft_weight=soft_weight).count


def _tokens_compared(batch: Mapping[str, Tensor], objective: Objective) -> float:
    ours = batch["labels"][:, 1:] != IGNORED
    if "teacher_logits" in batch:
        return float(ours.sum())
    stored = batch["teacher_token_probs"][:, 1:] > 0
    if objective.distillation.vocabulary is Vocabulary.OTHER:
        return float(torch.minimum(ours.sum(-1), stored.any(-1).sum(-1)).sum())
    return float((ours & (stored & (batch["teacher_token_ids"][:, 1:] >= 0)).any(-1)).sum())
