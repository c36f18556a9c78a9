"""The parts of a canonical rationale, and the labeled lines in which a language model writes them.

    Finding: There is a small left pleural effusion.
    Definition: A pleural effusion is fluid in the pleural space, between the lung and the chest wall.
    Sign: It shows as a costophrenic angle that is blunted.

Labels and not positions tell the parts, so that a text from any language model, constrained or not, is read alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kdistill_core.conditions import State
from kdistill_core.records import SentenceRole

LABELS: dict[SentenceRole, str] = {
    SentenceRole.ASSERTION: "Finding",
    SentenceRole.DEFINITION: "Definition",
    SentenceRole.SIGN: "Sign",
    SentenceRole.ARGUMENT: "Argument",
    SentenceRole.AGAINST: "Against",
    SentenceRole.SETTLES: "Settled by",
}
_ROLES = {label.casefold(): role for role, label in LABELS.items()}
# What is denied needs no signs; what would speak against it is the argument.
_PARTS = {
    State.POSITIVE: tuple(LABELS),
    State.UNCERTAIN: tuple(LABELS),
    State.NEGATIVE: (SentenceRole.ASSERTION, SentenceRole.AGAINST),
}


@dataclass(frozen=True)
class Part:
    """One sentence of a rationale and the part it plays."""

    role: SentenceRole
    text: str


def parts_for(state: State) -> tuple[SentenceRole, ...]:
    """Return the parts that a rationale of a finding in ``state`` has, in their order. Raises KeyError for a blank."""
    return _PARTS[state]


def labeled(parts: Sequence[Part]) -> str:
    """Return the lines in which a language model writes ``parts``."""
    return "\n".join(f"{LABELS[part.role]}: {part.text}" for part in parts)


def read_parts(text: str) -> tuple[Part, ...]:
    """Return the parts of a written text; a line without a known label belongs to nothing and gets the role OTHER."""
    found = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        label, colon, rest = line.partition(":")
        role = _ROLES.get(label.strip().casefold()) if colon else None
        found.append(Part(SentenceRole.OTHER, line) if role is None else Part(role, rest.strip()))
    return tuple(found)
