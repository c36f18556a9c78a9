"""Held-out perplexity: of the first tokens of each document, tokens weighted equally, intervals over documents."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.measures import Floats, Measure, ratio
from kdistill_core.evaluation.scores import Score
from kdistill_core.evaluation.teachers.facts import PERPLEXITY
from kdistill_core.evaluation.teachers.likelihood import BATCH_TOKENS, Advance, losses, no_report
from kdistill_core.evaluation.teachers.texts import SampledTexts
from kdistill_core.teacher.model import TeacherModel

FIRST_TOKENS = 256
_LEAST_TOKENS = 2  # the first token has nothing before it that it could be foretold from


@dataclass(frozen=True)
class DocumentLoss:
    """What a model lost on a document. tokens: that were foretold; loss: their sum, in nats."""

    id: str
    tokens: int
    loss: float


@dataclass(frozen=True)
class PerplexityEvidence:
    """The loss of each document. tokens_sha256: of the tokens; two models with one tokenizer have the same.

    too_short: documents of less than two tokens, left out.
    """

    documents: tuple[DocumentLoss, ...]
    tokens_sha256: str
    too_short: int


def measure_perplexity(
    teacher: TeacherModel,
    sampled: SampledTexts,
    first_tokens: int = FIRST_TOKENS,
    batch_tokens: int = BATCH_TOKENS,
    on_rows: Advance = no_report,
) -> PerplexityEvidence:
    """Return the loss of the first ``first_tokens`` tokens of each document, without special tokens.

    Raises EvaluationError where no document has two tokens.
    """
    encoded = teacher.tokenizer(
        [text.text for text in sampled.texts],
        add_special_tokens=False,
        truncation=True,
        max_length=first_tokens,
    )["input_ids"]
    kept = [(text.id, row) for text, row in zip(sampled.texts, encoded, strict=True) if len(row) >= _LEAST_TOKENS]
    if not kept:
        raise EvaluationError(f"No document of {sampled.origin} has two tokens.", "Give longer texts.")
    rows = [row for _, row in kept]
    summed = losses(teacher, rows, batch_tokens, on_rows)
    documents = tuple(
        DocumentLoss(name, len(row) - 1, float(loss)) for (name, row), loss in zip(kept, summed, strict=True)
    )
    said = hashlib.sha256("\n".join(" ".join(map(str, row)) for row in rows).encode()).hexdigest()
    return PerplexityEvidence(documents, said, len(encoded) - len(kept))


def perplexity(evidence: PerplexityEvidence, scope: str, first_tokens: int = FIRST_TOKENS) -> Measure:
    """Return exp(summed loss / summed tokens) as a measure whose cases are documents."""
    counted = np.array([[document.loss, document.tokens] for document in evidence.documents], dtype=np.float64)
    note = f"first {first_tokens} tokens of each document, {int(counted[:, 1].sum()):,} tokens in all"
    if evidence.too_short:
        note += f"; {evidence.too_short} documents of less than two tokens left out"
    score = Score(PERPLEXITY.name, scope, None, len(counted), PERPLEXITY.higher_is_better, note=note)
    return Measure(score, counted, _exponential_of_mean)


def _exponential_of_mean(sums: Floats) -> Floats:
    return np.asarray(np.exp(ratio(sums)))
