"""Which findings go together, as the teacher's language model has it.

The table holds log p(B | A) - log p(B) in nats: how much likelier the model finds the sentence that asserts B behind
one that asserts A than behind a text that asserts nothing. That is the pointwise mutual information of two sentences
(Church and Hanks, Computational Linguistics 1990), with the language model's probabilities for counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.teacher.errors import TeacherModelError
from kdistill_core.teacher.knowledge import KnowledgeBase
from kdistill_core.teacher.model import TeacherModel

_BATCH = 32


@dataclass(frozen=True)
class AssociationTemplate:
    """What stands before the sentence on B: told, with ``{sentence}`` for the one on A, and neutral, without one."""

    told: str
    neutral: str


# Three framings, of which none is tuned: their mean depends less on the words of any.
TEMPLATES = (
    AssociationTemplate("A chest radiograph was taken. {sentence}", "A chest radiograph was taken."),
    AssociationTemplate("FINDINGS: {sentence}", "FINDINGS:"),
    AssociationTemplate("The patient has a chest X-ray. {sentence} In addition:", "The patient has a chest X-ray."),
)


@dataclass(frozen=True, eq=False)
class Associations:
    """What a teacher thinks goes together.

    table: float64 [K, K] in nats, A in rows, B in columns, in the order of ``CONDITIONS``; NaN on the diagonal.
    by_template: float64 [T, K, K]. teacher, weights_sha256: of the model.
    """

    table: NDArray[np.float64]
    by_template: NDArray[np.float64]
    teacher: str
    weights_sha256: str

    def symmetric(self) -> NDArray[np.float64]:
        """Return the part of the table that depends on the pair alone, float64 [K, K], NaN on the diagonal.

        Mutual information has no direction, a language model has: some sentences are likelier behind anything, and
        some make anything likelier. The mean of both directions is taken, and the means of row and column go.
        """
        return without_marginals((self.table + self.table.T) / 2)


def teacher_associations(
    model: TeacherModel, knowledge: KnowledgeBase, templates: Sequence[AssociationTemplate] = TEMPLATES
) -> Associations:
    """Return which findings ``model`` thinks go together, by the sentences that assert them in ``knowledge``.

    Raises KnowledgeError where a condition has no such sentence, TeacherModelError where the model's likelihoods are
    not finite.
    """
    sentences = [knowledge[condition].assertion(State.POSITIVE, None) for condition in CONDITIONS]
    by_template = np.stack([_of_template(model, template, sentences) for template in templates])
    if not np.isfinite(by_template).all():
        raise TeacherModelError(
            f"{model.folder} gives likelihoods that are not finite.", "Load it in float32, or take another model."
        )
    diagonal = np.arange(len(CONDITIONS))
    by_template[:, diagonal, diagonal] = np.nan
    return Associations(by_template.mean(axis=0), by_template, model.name, model.sha256)


def continuation_log_likelihood(model: TeacherModel, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
    """Return log p(continuation | beginning) in nats of each pair, float64 [pairs]; neither may be empty.

    The continuation's first token carries the blank before it.
    """
    return np.concatenate([_of_batch(model, pairs[start : start + _BATCH]) for start in range(0, len(pairs), _BATCH)])


def without_marginals(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``table`` [K, K] less the effects of its rows and columns, fitted to what is not NaN by least squares.

    Raises ValueError where the diagonal alone would be left.
    """
    known = ~np.isnan(table)
    if known.sum() <= 2 * len(table):
        raise ValueError("The table has too few numbers for effects of rows and columns.")
    row, column = np.nonzero(known)
    design = np.zeros((len(row), 2 * len(table)))
    design[np.arange(len(row)), row] = 1
    design[np.arange(len(row)), len(table) + column] = 1
    effects, *_ = np.linalg.lstsq(design, table[known], rcond=None)
    left = np.full(table.shape, np.nan)
    left[known] = table[known] - design @ effects
    return left


def pairs_of_conditions(excluded: frozenset[tuple[Condition, Condition]] = frozenset()) -> NDArray[np.bool_]:
    """Return bool [K, K], True above the diagonal for every pair of findings but the ``excluded`` ones.

    No Finding, which goes with nothing by its meaning, is in no pair. excluded: in either order.
    """
    kept = np.triu(np.ones((len(CONDITIONS), len(CONDITIONS)), dtype=bool), k=1)
    nothing = CONDITIONS.index(Condition.NO_FINDING)
    kept[nothing], kept[:, nothing] = False, False
    for first, second in excluded:
        places = sorted((CONDITIONS.index(first), CONDITIONS.index(second)))
        kept[places[0], places[1]] = False
    return kept


def _of_template(model: TeacherModel, template: AssociationTemplate, sentences: Sequence[str]) -> NDArray[np.float64]:
    told = [(template.told.format(sentence=first), second) for first in sentences for second in sentences]
    neutral = [(template.neutral, second) for second in sentences]
    likelihoods = continuation_log_likelihood(model, [*told, *neutral])
    count = len(sentences)
    return likelihoods[: count * count].reshape(count, count) - likelihoods[count * count :]


@torch.inference_mode()
def _of_batch(model: TeacherModel, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
    rows = []
    for beginning, continuation in pairs:
        first = model.tokenizer(beginning, add_special_tokens=False)["input_ids"]
        second = model.tokenizer(f" {continuation}", add_special_tokens=False)["input_ids"]
        rows.append((first, second))
    width = max(len(first) + len(second) for first, second in rows)
    tokens = torch.full((len(rows), width), int(model.tokenizer.pad_token_id))
    mask, counted = torch.zeros_like(tokens), torch.zeros(tokens.shape, dtype=torch.bool)
    for place, (first, second) in enumerate(rows):
        # Padding stands behind, where causal attention never looks.
        tokens[place, : len(first) + len(second)] = torch.tensor([*first, *second])
        mask[place, : len(first) + len(second)] = 1
        counted[place, len(first) : len(first) + len(second)] = True
    device = model.model.device
    logits = model.model(input_ids=tokens.to(device), attention_mask=mask.to(device)).logits
    scores = torch.log_softmax(logits[:, :-1].float(), dim=-1).cpu()
    each = scores.gather(-1, tokens[:, 1:, None]).squeeze(-1)
    return np.asarray(torch.where(counted[:, 1:], each, torch.zeros_like(each)).double().sum(dim=1).numpy())
