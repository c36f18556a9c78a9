"""The distillation objective: which terms a batch is judged by, and what they need beside the batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from kdistill_core.distillation.losses import Term, UncertainPolicy, alignment, classification, generation, weighted_sum
from kdistill_core.student.modeling import StudentOutput

GENERATION, ALIGNMENT, CLASSIFICATION = "generation", "alignment", "classification"
TERMS = (GENERATION, ALIGNMENT, CLASSIFICATION)


@dataclass(frozen=True)
class Objective:
    """What the terms need beside a batch.

    told_share: the probability that the text of a case is written from the states its target asserts; in the other
    cases it is written from what the student decided by itself, as at inference.
    """

    policies: tuple[UncertainPolicy, ...]
    temperature: float = 0.1
    told_share: float = 0.8

    def __call__(
        self, model: nn.Module, batch: dict[str, Tensor], weights: dict[str, float]
    ) -> tuple[Tensor, dict[str, float], StudentOutput]:
        """Return the weighted sum of the terms, what to log of them, and the student's output."""
        inputs: dict[str, Tensor] = {"pixel_values": batch["pixel_values"]}
        if weights.get(GENERATION):
            inputs |= {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]}
            inputs["condition_states"] = self._told(batch["condition_states"])
        output: StudentOutput = model(**inputs)
        total, logged = weighted_sum(self._terms(output, batch), weights)
        return total, logged, output

    def _terms(self, output: Any, batch: dict[str, Tensor]) -> dict[str, Callable[[], Term]]:
        return {
            GENERATION: lambda: generation(output.logits, batch["labels"]),
            ALIGNMENT: lambda: alignment(
                output.explanation_embedding,
                batch["teacher_embeddings"],
                batch["groups"][:, None] == batch["groups"][None, :],
                self.temperature,
            ),
            CLASSIFICATION: lambda: classification(output.condition_logits, batch["condition_labels"], self.policies),
        }

    def _told(self, states: Tensor) -> Tensor:
        by_itself = torch.rand(len(states), 1, device=states.device) >= self.told_share
        return states.masked_fill(by_itself, float("nan"))
