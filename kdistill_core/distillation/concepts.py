"""The teacher's signs as targets: how each condition shows, as the knowledge base has it.

A sign that the teacher names for a finding is present; the signs of a condition that is denied are absent. Of the other
signs of a present condition, and of all signs of one that nobody spoke of, nothing is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.distillation.targets import told
from kdistill_core.records import Finding, SentenceRole
from kdistill_core.teacher.knowledge import KnowledgeBase
from kdistill_core.teacher.library import RationaleLibrary


@dataclass(frozen=True)
class Concept:
    """A sign of a condition, in the words of the knowledge base."""

    condition: Condition
    sign: str

    @property
    def name(self) -> str:
        """How a student's configuration names it."""
        return f"{self.condition}: {self.sign}"


def concepts_of(knowledge: KnowledgeBase) -> tuple[Concept, ...]:
    """Return every sign, in the order of ``CONDITIONS``, then of the knowledge base."""
    return tuple(Concept(condition, sign.text) for condition in CONDITIONS for sign in knowledge[condition].signs)


def concept_labels(
    cases: Sequence[Sequence[Finding]], concepts: Sequence[Concept], library: RationaleLibrary, variants: int = 1
) -> NDArray[np.float32]:
    """Return float32 [N, C] of 1 (present), 0 (absent) or NaN of every case's findings.

    variants: of the rationale, whose signs all count as named. Raises LibraryError.
    """
    known: dict[tuple[Finding, ...], frozenset[Concept]] = {}
    rows = []
    for findings in cases:
        said = told(findings)
        if said not in known:
            known[said] = _named(said, library, variants)
        denied = {finding.condition for finding in findings if finding.state is State.NEGATIVE}
        rows.append([_label(concept, known[said], denied) for concept in concepts])
    return np.array(rows, dtype=np.float32).reshape(len(rows), len(concepts))


def _named(said: Sequence[Finding], library: RationaleLibrary, variants: int) -> frozenset[Concept]:
    entries = [entry for variant in range(variants) for _, entry in library.entries_of(said, variant=variant)]
    return frozenset(
        Concept(entry.condition, sentence.statement or sentence.text)
        for entry in entries
        for sentence in entry.sentences
        if sentence.role is SentenceRole.SIGN and entry.state is State.POSITIVE
    )


def _label(concept: Concept, named: frozenset[Concept], denied: set[Condition]) -> float:
    if concept in named:
        return 1.0
    return 0.0 if concept.condition in denied else float("nan")
