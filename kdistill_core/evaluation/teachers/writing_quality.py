"""What the drafts of a teacher are worth: how many pass the gate, why others do not, which signs they name.

Cases are contexts; of the signs that are named, the signs. The gate is asked once for each context, at the first try: a
second one would hide what the first was worth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kdistill_core.conditions import CONDITIONS, Condition
from kdistill_core.evaluation.measures import Floats, Measure, mean_over_cases, ratio
from kdistill_core.evaluation.scores import Score
from kdistill_core.evaluation.teachers.drafts import JudgedDraft
from kdistill_core.evaluation.teachers.facts import COVERAGE, PASS_RATE, REJECTED, SELF_BLEU, UNSUPPORTED
from kdistill_core.records import SentenceRole
from kdistill_core.teacher.knowledge import KnowledgeBase
from kdistill_core.teacher.parts import parts_for

ALL_CONTEXTS = "all contexts"


@dataclass(frozen=True)
class Rejection:
    """How many drafts a check of the gate was the first to refuse, and one of its reasons."""

    check: str
    count: int
    example: str


@dataclass(frozen=True)
class SignCoverage:
    """The signs of a condition by how many of its drafts name them. asked: drafts that were to name a sign."""

    condition: Condition
    asked: int
    named: dict[str, int]


@dataclass(frozen=True)
class UnsupportedSentence:
    """A sentence that no statement of the knowledge base supports; reason: the gate's."""

    condition: Condition
    role: SentenceRole
    text: str
    reason: str


def writing_measures(judged: Sequence[JudgedDraft]) -> tuple[Measure, ...]:
    """Return pass rates, rates of rejection by check, and the share of unsupported sentences."""
    accepted = np.array([draft.judged.accepted for draft in judged], dtype=np.float64)
    failed = ["" if (found := draft.failed_check) is None else found.check for draft in judged]
    conditions = [draft.draft.context.condition for draft in judged]
    measures = [mean_over_cases(Score(PASS_RATE.name, ALL_CONTEXTS, None, len(judged)), accepted, PASS_RATE.name)]
    for condition in CONDITIONS:
        own = np.array([other is condition for other in conditions])
        if own.any():
            score = Score(PASS_RATE.name, condition.value, None, int(own.sum()))
            measures.append(mean_over_cases(score, np.where(own, accepted, np.nan), condition.value))
    for check in sorted(set(filter(None, failed))):
        score = Score(REJECTED.name, check, None, len(judged), REJECTED.higher_is_better)
        refused = np.array([name == check for name in failed], dtype=np.float64)
        measures.append(mean_over_cases(score, refused, check))
    return (*measures, _unsupported(judged))


def rejections(judged: Sequence[JudgedDraft]) -> tuple[Rejection, ...]:
    """Return why drafts were refused, the commonest check first."""
    failed = [check for draft in judged if (check := draft.failed_check)]
    counts = Counter(check.check for check in failed)
    return tuple(
        Rejection(name, count, next(check.reason for check in failed if check.check == name))
        for name, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    )


def sign_coverage(judged: Sequence[JudgedDraft], knowledge: KnowledgeBase) -> tuple[SignCoverage, ...]:
    """Return, of every condition that was asked for, which of its signs were named, and how often."""
    coverage = []
    for condition in CONDITIONS:
        own = [draft for draft in judged if draft.draft.context.condition is condition]
        if own:
            named = Counter(sign for draft in own for sign in _named_signs(draft))
            signs = {sign.text: named[sign.text] for sign in knowledge[condition].signs}
            coverage.append(SignCoverage(condition, sum(map(_asked_for_sign, own)), signs))
    return tuple(coverage)


def unsupported_sentences(judged: Sequence[JudgedDraft]) -> tuple[UnsupportedSentence, ...]:
    """Return every sentence without a statement of the knowledge base behind it."""
    return tuple(
        UnsupportedSentence(draft.draft.context.condition, part.role, part.text, _reason(draft, part.role))
        for draft in judged
        for part, statement in zip(draft.judged.parts, draft.judged.statements, strict=True)
        if not statement
    )


def coverage_measure(coverage: Sequence[SignCoverage]) -> Measure:
    """Return the share of signs that some rationale names. Cases are signs, for a sign is named or it is not."""
    named = np.array([count > 0 for condition in coverage for count in condition.named.values()], dtype=np.float64)
    asked = sum(condition.asked for condition in coverage)
    score = Score(
        COVERAGE.name, ALL_CONTEXTS, None, len(named), note=f"signs; {asked} rationales with room for one each"
    )
    return mean_over_cases(score, named, COVERAGE.name)


def self_bleu_measure(each: Floats) -> Measure:
    """Return the mean self-BLEU; its interval takes the other texts, the references, as they are."""
    note = "sentence BLEU-4, 13a tokens, lower case, exponential smoothing; sacrebleu"
    score = Score(SELF_BLEU.name, ALL_CONTEXTS, None, len(each), SELF_BLEU.higher_is_better, note=note)
    return mean_over_cases(score, each, SELF_BLEU.name)


def _unsupported(judged: Sequence[JudgedDraft]) -> Measure:
    counted = np.array(
        [[draft.judged.statements.count(""), len(draft.judged.statements)] for draft in judged], dtype=np.float64
    )
    note = f"{int(counted[:, 1].sum())} sentences"
    score = Score(UNSUPPORTED.name, ALL_CONTEXTS, None, len(judged), UNSUPPORTED.higher_is_better, note=note)
    return Measure(score, counted, ratio)


def _named_signs(draft: JudgedDraft) -> set[str]:
    return {
        statement
        for part, statement in zip(draft.judged.parts, draft.judged.statements, strict=True)
        if part.role is SentenceRole.SIGN and statement
    }


def _asked_for_sign(draft: JudgedDraft) -> bool:
    return SentenceRole.SIGN in parts_for(draft.draft.context.state)


def _reason(draft: JudgedDraft, role: SentenceRole) -> str:
    """Return the gate's reason; of a line without a label it has none of its own."""
    named = (verdict for verdict in draft.judged.verdicts if verdict.check == f"grounding of the {role}")
    return next((verdict.reason for verdict in named if not verdict.passed), "it is no part of a rationale")
