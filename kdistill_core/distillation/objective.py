"""The distillation objective: which terms a batch is judged by, and what they need beside the batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor, nn

from kdistill_core.distillation.batches import STUDENT_INPUTS
from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.losses import (
    Term,
    UncertainPolicy,
    alignment,
    classification,
    compute_terms,
    concept,
    condition_alignment,
    cosine,
    distillation,
    finding_overlap,
    generation,
    soft_alignment,
    top_distillation,
    universal_top_distillation,
    weighted_sum,
)
from kdistill_core.student.modeling import StudentOutput

GENERATION, DISTILLATION, ALIGNMENT = "generation", "distillation", "alignment"
CLASSIFICATION, CONCEPT = "classification", "concept"
TERMS = (GENERATION, DISTILLATION, ALIGNMENT, CLASSIFICATION, CONCEPT)
# Those that judge what the student writes, so that its language model has to run.
TEXT_TERMS = (GENERATION, DISTILLATION)
TEXT_INPUTS = ("input_ids", "attention_mask", "condition_states")


class Vocabulary(StrEnum):
    """Whose tokens the stored next-token probabilities of the teacher are of."""

    SAME = "same"
    OTHER = "other"


class Positives(StrEnum):
    """What makes two cases positives of each other: equal findings, or shared ones by how much they overlap."""

    EQUAL = "equal"
    OVERLAP = "overlap"


@dataclass(frozen=True)
class DistillationSettings:
    """How next-token distributions are compared; see :mod:`kdistill_core.distillation.losses.distillation`.

    beta: from 0, forward KL, to 1, reverse KL; not used across vocabularies. temperature: of both sides.
    """

    beta: float = 0.5
    temperature: float = 1.0
    vocabulary: Vocabulary = Vocabulary.SAME


@dataclass(frozen=True)
class AlignmentSettings:
    """What the alignment term is made of beside the contrast of whole cases, each with its weight in the term.

    cosine_weight: of the distance from the own rationale. condition_weight: of the same losses per condition, for which
    the student needs `condition_alignment` in its configuration.
    """

    positives: Positives = Positives.EQUAL
    cosine_weight: float = 0.0
    condition_weight: float = 0.0


@dataclass(frozen=True)
class ClassificationSettings:
    """What the classification term makes of soft and of rare labels; see its loss.

    soft_weight: what a soft label counts as beside a label; 0 leaves blanks blank.
    """

    soft_weight: float = 0.0
    focusing: float = 0.0
    positive_weights: tuple[float, ...] = ()


@dataclass(frozen=True)
class Objective:
    """What the terms need beside a batch.

    policies: what an uncertain label counts as, per condition. temperature: of the contrast in the alignment term.
    told_share: the probability that the text of a case is written from the states its target asserts; in the other
    cases it is written from what the student decided by itself, as at inference.
    """

    policies: tuple[UncertainPolicy, ...]
    temperature: float = 0.1
    told_share: float = 0.8
    distillation: DistillationSettings = field(default_factory=DistillationSettings)
    alignment: AlignmentSettings = field(default_factory=AlignmentSettings)
    classification: ClassificationSettings = field(default_factory=ClassificationSettings)

    def __call__(
        self, model: nn.Module, batch: dict[str, Tensor], weights: dict[str, float]
    ) -> tuple[Tensor, dict[str, float], StudentOutput]:
        """Return the weighted sum of the terms, what to log of them, and the student's output."""
        terms, output = self.terms(model, batch, weights)
        total, logged = weighted_sum(terms, weights)
        return total, logged, output

    def terms(
        self, model: nn.Module, batch: Mapping[str, Tensor], weights: Mapping[str, float]
    ) -> tuple[dict[str, Term], StudentOutput]:
        """Return the terms that have a weight, and the student's output.

        Raises DistillationError where such a term lacks something in the batch or the output, which it names.
        """
        inputs = student_inputs(batch)
        for term in (name for name in TEXT_TERMS if weights.get(name)):
            inputs |= {name: _of_batch(batch, name, term) for name in TEXT_INPUTS}
        if "condition_states" in inputs:
            inputs["condition_states"] = self._told(inputs["condition_states"])
        output: StudentOutput = model(**inputs)
        terms: dict[str, Callable[[], Term]] = {
            GENERATION: lambda: generation(
                _of_output(output.logits, "logits", GENERATION), _of_batch(batch, "labels", GENERATION)
            ),
            DISTILLATION: lambda: self._distillation(output, batch),
            ALIGNMENT: lambda: self._alignment(output, batch),
            CLASSIFICATION: lambda: self._classification(output, batch),
            CONCEPT: lambda: _concept(output, batch),
        }
        return compute_terms(terms, weights), output

    def _distillation(self, output: StudentOutput, batch: Mapping[str, Tensor]) -> Term:
        settings = self.distillation
        logits = _of_output(output.logits, "logits", DISTILLATION)
        labels = _of_batch(batch, "labels", DISTILLATION)
        # Put there by a teacher that scores on the spot; what was stored are its likeliest tokens.
        if "teacher_logits" in batch:
            return distillation(logits, batch["teacher_logits"], labels, settings.beta, settings.temperature)
        probs = _of_batch(batch, "teacher_token_probs", DISTILLATION)
        if settings.vocabulary is Vocabulary.OTHER:
            return universal_top_distillation(logits, labels, probs, settings.temperature)
        ids = _of_batch(batch, "teacher_token_ids", DISTILLATION)
        return top_distillation(logits, ids, probs, labels, settings.beta, settings.temperature)

    def _alignment(self, output: StudentOutput, batch: Mapping[str, Tensor]) -> Term:
        said = _of_output(output.explanation_embedding, "explanation_embedding", ALIGNMENT)
        told = _same_size(said, _of_batch(batch, "teacher_embeddings", ALIGNMENT))
        if self.alignment.positives is Positives.OVERLAP:
            overlap = finding_overlap(_of_batch(batch, "finding_sets", ALIGNMENT))
            cases = soft_alignment(said, told, overlap, self.temperature)
        else:
            groups = _of_batch(batch, "groups", ALIGNMENT)
            cases = alignment(said, told, groups[:, None] == groups[None], self.temperature)
        value = self._with_cosine(cases, said, told)
        if self.alignment.condition_weight:
            said = _of_output(output.condition_explanations, "condition_explanations", ALIGNMENT)
            told = _same_size(said, _of_batch(batch, "condition_embeddings_of_teacher", ALIGNMENT))
            conditions = self._with_cosine(condition_alignment(said, told, self.temperature), said, told)
            value = value + self.alignment.condition_weight * conditions
        return Term(value, cases.count)

    def _with_cosine(self, contrast: Term, said: Tensor, told: Tensor) -> Tensor:
        weight = self.alignment.cosine_weight
        return contrast.value + weight * cosine(said, told).value if weight else contrast.value

    def _classification(self, output: StudentOutput, batch: Mapping[str, Tensor]) -> Term:
        settings = self.classification
        return classification(
            _of_output(output.condition_logits, "condition_logits", CLASSIFICATION),
            _of_batch(batch, "condition_labels", CLASSIFICATION),
            self.policies,
            soft_labels=_of_batch(batch, "soft_labels", CLASSIFICATION) if settings.soft_weight else None,
            soft_weight=settings.soft_weight,
            focusing=settings.focusing,
            positive_weights=settings.positive_weights,
        )

    def _told(self, states: Tensor) -> Tensor:
        by_itself = torch.rand(len(states), 1, device=states.device) >= self.told_share
        return states.masked_fill(by_itself, float("nan"))


def student_inputs(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return what the student may see of a batch: its images and, where there are several, their views and times."""
    return {name: batch[name] for name in sorted(STUDENT_INPUTS) if name in batch}


def _concept(output: StudentOutput, batch: Mapping[str, Tensor]) -> Term:
    logits = _of_output(output.concept_logits, "concept_logits", CONCEPT)
    return concept(logits, _of_batch(batch, "concept_labels", CONCEPT))


def _of_batch(batch: Mapping[str, Tensor], key: str, term: str) -> Tensor:
    if key not in batch:
        raise DistillationError(
            f"The {term} term needs `{key}`, which the batch lacks.",
            f"Prepare the training data with `{key}`, or give the term the weight 0.",
        )
    return batch[key]


def _of_output(value: Any, name: str, term: str) -> Tensor:
    if not isinstance(value, Tensor):
        raise DistillationError(
            f"The {term} term needs `{name}`, which this student does not give.",
            "Switch it on in the student's configuration, or give the term the weight 0.",
        )
    return value


def _same_size(said: Tensor, told: Tensor) -> Tensor:
    if said.shape != told.shape:
        raise DistillationError(
            f"The student's embeddings have the shape {tuple(said.shape)}, the teacher's {tuple(told.shape)}.",
            "Set the student's `alignment_size` to the teacher's, and prepare the data with the teacher's embeddings.",
        )
    return told
