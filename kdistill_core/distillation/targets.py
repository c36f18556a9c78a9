"""The teacher's side of a training case: what it is told, and what it gives back.

The teacher is told findings, and nothing else: no pixels, and not the words of the report they were read from. What
comes back is its rationale and, where the alignment term wants it, that rationale's embedding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kdistill_core.conditions import CONDITIONS, State
from kdistill_core.records import Finding, Rationale, SentenceRole
from kdistill_core.student.decisions import most_specific

# What the student is to write: what is there, where to see it, and why that argues for it. Definitions and
# differential diagnoses stay with the teacher, whose rationale stands beside the student's.
STUDENT_ROLES = (SentenceRole.ASSERTION, SentenceRole.SIGN, SentenceRole.ARGUMENT)

Embed = Callable[[Sequence[str]], NDArray[np.float32]]


class Teacher(Protocol):
    """Anything that writes the canonical rationale of findings, such as the rationale library."""

    def compose(
        self, findings: Sequence[Finding], *, roles: Sequence[SentenceRole] | None = None, variant: int = 0
    ) -> Rationale:
        """Return the rationale of ``findings``."""
        ...


@dataclass(frozen=True, eq=False)
class TokenPredictions:
    """The teacher's likeliest tokens at every position of a text, of its own vocabulary.

    ids: int [T, k], -1 where there is none. probabilities: float [T, k]. Row t tells of the token at t, so that row 0,
    the begin of the text, is empty.
    """

    ids: NDArray[np.integer]
    probabilities: NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class TeacherTargets:
    """What the teacher says of each case.

    texts: the rationale, one per case and variant, [N][V]. states: float32 [N, K], 1 where the rationale asserts the
    condition, else 0. embeddings: float32 [N, D] of the first variant, D = 0 where nobody asked for them: the mean of
    its sentences' embeddings, so that a sentence is embedded once, however many rationales share it.
    groups: int64 [N], equal where the findings told are equal. finding_sets: bool [N, K], the conditions told.
    condition_embeddings: float32 [G, K, D] by group, the mean of the sentences on each condition, NaN where there are
    none. concepts: float32 [N, C]; see :mod:`kdistill_core.distillation.concepts`. tokens: [N][V], as ``texts``. These
    four are None where nobody asked. findings: what the teacher was told, by group.
    """

    texts: tuple[tuple[str, ...], ...]
    states: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    groups: NDArray[np.int64]
    finding_sets: NDArray[np.bool_] | None = None
    condition_embeddings: NDArray[np.float32] | None = None
    concepts: NDArray[np.float32] | None = None
    tokens: tuple[tuple[TokenPredictions, ...], ...] | None = None
    findings: tuple[tuple[Finding, ...], ...] = ()

    def condition_embeddings_of(self, case: int) -> NDArray[np.float32] | None:
        """Return the condition embeddings float32 [K, D] of one case."""
        by_group = self.condition_embeddings
        return None if by_group is None else by_group[int(self.groups[case])]

    def part(self, start: int, stop: int) -> TeacherTargets:
        """Return the targets of some of the cases, one after another; groups keep their numbers."""
        at = slice(start, stop)
        return replace(
            self,
            texts=self.texts[at],
            states=self.states[at],
            embeddings=self.embeddings[at],
            groups=self.groups[at],
            finding_sets=None if self.finding_sets is None else self.finding_sets[at],
            concepts=None if self.concepts is None else self.concepts[at],
            tokens=None if self.tokens is None else self.tokens[at],
        )


def told(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return what the teacher is told of a case: its positive findings, the most specific ones, without evidence."""
    return tuple(replace(finding, probability=None, threshold=None, evidence=()) for finding in most_specific(findings))


@dataclass(frozen=True)
class Question:
    """What the teacher is asked of a case.

    findings: what it is told. keys: of rationales that it has written for this very case; empty where there are none.
    """

    findings: tuple[Finding, ...]
    keys: tuple[str, ...] = ()


def teacher_targets(
    cases: Sequence[Sequence[Finding]], teacher: Teacher, embed: Embed | None, variants: int = 1
) -> TeacherTargets:
    """Return what ``teacher`` says of every case's findings; equal findings are put to it once."""

    def answer(question: Question) -> list[Rationale]:
        return [teacher.compose(question.findings, roles=STUDENT_ROLES, variant=variant) for variant in range(variants)]

    return answered_targets([Question(told(findings)) for findings in cases], answer, embed)


def answered_targets(
    questions: Sequence[Question],
    answer: Callable[[Question], Sequence[Rationale]],
    embed: Embed | None,
    *,
    by_condition: bool = True,
) -> TeacherTargets:
    """Return what ``answer`` says to the question of every case, one rationale a version; equal ones are put once.

    by_condition: whether the embeddings of each condition are wanted too, which are 14 times as many.
    """
    numbers: dict[Question, int] = {}
    groups = np.array([numbers.setdefault(question, len(numbers)) for question in questions], dtype=np.int64)
    rationales = [answer(question) for question in numbers]
    texts = [tuple(rationale.text for rationale in versions) for versions in rationales]
    states = np.array([_asserted(versions[0]) for versions in rationales], dtype=np.float32)
    spoken = [versions[0] for versions in rationales]
    by_group, of_conditions = _embeddings(spoken, embed, by_condition=by_condition)
    return TeacherTargets(
        tuple(texts[group] for group in groups),
        states[groups],
        by_group[groups],
        groups,
        finding_sets=np.array([_conditions(question.findings) for question in questions]),
        condition_embeddings=of_conditions,
        findings=tuple(question.findings for question in numbers),
    )


def _asserted(rationale: Rationale) -> list[float]:
    said = {sentence.condition for sentence in rationale.sentences if sentence.state is State.POSITIVE}
    return [float(condition in said) for condition in CONDITIONS]


def _conditions(said: Sequence[Finding]) -> list[bool]:
    named = {finding.condition for finding in said}
    return [condition in named for condition in CONDITIONS]


def _embeddings(
    rationales: Sequence[Rationale], embed: Embed | None, *, by_condition: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Return the mean embedding [G, D] of each rationale's sentences, and of those on each condition [G, K, D]."""
    if embed is None:
        return np.zeros((len(rationales), 0), dtype=np.float32), None
    spoken = [[text.text[part.span.start : part.span.end] for part in text.sentences] for text in rationales]
    rows = {sentence: row for row, sentence in enumerate(dict.fromkeys(chain.from_iterable(spoken)))}
    vectors = embed(list(rows))
    whole = np.stack([vectors[[rows[sentence] for sentence in sentences]].mean(axis=0) for sentences in spoken])
    if not by_condition:
        return whole, None
    parts = np.full((len(rationales), len(CONDITIONS), vectors.shape[1]), np.nan, dtype=np.float32)
    for group, (rationale, sentences) in enumerate(zip(rationales, spoken, strict=True)):
        for column, condition in enumerate(CONDITIONS):
            pairs = zip(rationale.sentences, sentences, strict=True)
            own = [rows[text] for part, text in pairs if part.condition is condition]
            if own:
                parts[group, column] = vectors[own].mean(axis=0)
    return whole, parts
