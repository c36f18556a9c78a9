"""Held-out perplexity: of the first tokens of each document, tokens weighted equally, intervals over documents.

It is taken twice: of all these tokens, and of those after the first few alone. A model that was tuned on texts which
begin as these do gains most at their beginning, where one that was not has to guess what is before it; that gain is of
form. What is left after some tokens is of the subject.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.measures import Floats, Measure, ratio
from kdistill_core.evaluation.scores import Score
from kdistill_core.evaluation.teachers.facts import PERPLEXITY
from kdistill_core.evaluation.teachers.likelihood import BATCH_TOKENS, Advance, no_report, token_losses
from kdistill_core.evaluation.teachers.texts import SampledTexts
from kdistill_core.teacher.model import TeacherModel

FIRST_TOKENS = 256
LATER = 32  # tokens read before the second measure begins to count
_LEAST_TOKENS = 2  # the first token has nothing before it that it could be foretold from


@dataclass(frozen=True)
class DocumentLoss:
    """What a model lost on a document.

    tokens: that were foretold; loss: their sum, in nats. later_tokens, later_loss: of those after the first ``LATER``.
    """

    id: str
    tokens: int
    loss: float
    later_tokens: int
    later_loss: float


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
    lost = token_losses(teacher, rows, batch_tokens, on_rows)
    documents = tuple(
        DocumentLoss(name, len(own), float(own.sum()), len(own[LATER:]), float(own[LATER:].sum()))
        for (name, _), own in zip(kept, lost, strict=True)
    )
    said = hashlib.sha256("\n".join(" ".join(map(str, row)) for row in rows).encode()).hexdigest()
    return PerplexityEvidence(documents, said, len(encoded) - len(kept))


def perplexities(evidence: PerplexityEvidence, kind: str, first_tokens: int = FIRST_TOKENS) -> tuple[Measure, ...]:
    """Return exp(summed loss / summed tokens) of all tokens and of the later ones; a measure's cases are documents.

    kind: of the texts. The later ones are left out where no document has any.
    """
    documents = evidence.documents
    every = [(document.loss, document.tokens) for document in documents]
    later = [(document.later_loss, document.later_tokens) for document in documents]
    dropped = f"; {evidence.too_short} documents of less than two tokens left out" if evidence.too_short else ""
    found = [_measure(every, kind, f"first {first_tokens} tokens of each document{dropped}")]
    if any(tokens for _, tokens in later):
        scope = f"{kind}, after {LATER} tokens"
        found.append(_measure(later, scope, f"the first {first_tokens} tokens of each document but its first {LATER}"))
    return tuple(found)


def _measure(losses_and_tokens: list[tuple[float, int]], scope: str, note: str) -> Measure:
    counted = np.array(losses_and_tokens, dtype=np.float64)
    note = f"{note}, {int(counted[:, 1].sum()):,} tokens in all"
    score = Score(PERPLEXITY.name, scope, None, len(counted), PERPLEXITY.higher_is_better, note=note)
    return Measure(score, counted, _exponential_of_mean)


def _exponential_of_mean(sums: Floats) -> Floats:
    return np.asarray(np.exp(ratio(sums)))
