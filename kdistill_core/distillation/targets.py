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
class TeacherTargets:
    """What the teacher says of each case.

    texts: the rationale, one per case and variant, [N][V]. states: float32 [N, K], 1 where the rationale asserts the
    condition, else 0. embeddings: float32 [N, D] of the first variant, D = 0 where nobody asked for them: the mean of
    its sentences' embeddings, so that a sentence is embedded once, however many rationales share it.
    groups: int64 [N], equal where the findings told are equal.
    """

    texts: tuple[tuple[str, ...], ...]
    states: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    groups: NDArray[np.int64]


def told(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return what the teacher is told of a case: its positive findings, the most specific ones, without evidence."""
    return tuple(replace(finding, probability=None, threshold=None, evidence=()) for finding in most_specific(findings))


def teacher_targets(
    cases: Sequence[Sequence[Finding]], teacher: Teacher, embed: Embed | None, variants: int = 1
) -> TeacherTargets:
    """Return what ``teacher`` says of every case's findings; equal findings are put to it once."""
    told_of = [told(findings) for findings in cases]
    numbers: dict[tuple[Finding, ...], int] = {}
    groups = np.array([numbers.setdefault(said, len(numbers)) for said in told_of], dtype=np.int64)
    rationales = [
        [teacher.compose(said, roles=STUDENT_ROLES, variant=variant) for variant in range(variants)] for said in numbers
    ]
    texts = [tuple(rationale.text for rationale in versions) for versions in rationales]
    states = np.array([_asserted(versions[0]) for versions in rationales], dtype=np.float32)
    embeddings = _embeddings([versions[0] for versions in rationales], embed)
    return TeacherTargets(tuple(texts[group] for group in groups), states[groups], embeddings[groups], groups)


def _asserted(rationale: Rationale) -> list[float]:
    said = {sentence.condition for sentence in rationale.sentences if sentence.state is State.POSITIVE}
    return [float(condition in said) for condition in CONDITIONS]


def _embeddings(rationales: Sequence[Rationale], embed: Embed | None) -> NDArray[np.float32]:
    if embed is None:
        return np.zeros((len(rationales), 0), dtype=np.float32)
    spoken = [[text.text[part.span.start : part.span.end] for part in text.sentences] for text in rationales]
    rows = {sentence: row for row, sentence in enumerate(dict.fromkeys(chain.from_iterable(spoken)))}
    vectors = embed(list(rows))
    return np.stack([vectors[[rows[sentence] for sentence in sentences]].mean(axis=0) for sentences in spoken])
