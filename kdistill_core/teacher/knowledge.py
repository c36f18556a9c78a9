"""What is known of each condition on a frontal radiograph, statement by statement, each with its literature.

The files are ``resources/knowledge/*.yaml``: one a condition, and ``references.yaml`` for the literature.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.records import Side
from kdistill_core.resources import resource
from kdistill_core.teacher.errors import KnowledgeError

Kind = TypeVar("Kind")

_REFERENCES = "references.yaml"
# How an assertion without a side is keyed in the files.
NO_SIDE = "none"


@dataclass(frozen=True)
class Reference:
    """A work of the literature; ``doi`` is empty for books and where it was not checked."""

    citation: str
    doi: str = ""


@dataclass(frozen=True)
class Statement:
    """One sentence of knowledge and the keys of the works that support it."""

    text: str
    references: tuple[str, ...]


@dataclass(frozen=True)
class Sign:
    """A sign to look for, and how it argues for its condition."""

    text: str
    argument: str
    references: tuple[str, ...]


@dataclass(frozen=True)
class Knowledge:
    """What is known of one condition.

    assertions: per state, the sentence that asserts it, keyed by side (``none``, ``left``, ``right``, ``bilateral``).
    """

    condition: Condition
    definition: Statement
    signs: tuple[Sign, ...]
    against: tuple[Statement, ...]
    mimics: tuple[Statement, ...]
    settles: tuple[Statement, ...]
    assertions: dict[State, dict[str, str]] = field(default_factory=dict)

    def assertion(self, state: State, side: Side | None) -> str:
        """Return the sentence that asserts ``state`` on ``side``; without side where the condition has none.

        Raises KnowledgeError for a state that no sentence asserts.
        """
        by_side = self.assertions.get(state)
        if by_side is None:
            raise KnowledgeError(f"No sentence asserts that {self.condition} is {state}.", "Add one to its file.")
        return by_side.get(side.value if side else NO_SIDE, by_side[NO_SIDE])

    def statements(self) -> tuple[str, ...]:
        """Return every sentence that states a fact of this condition, assertions excluded."""
        return (
            self.definition.text,
            *(text for sign in self.signs for text in (sign.text, sign.argument)),
            *(statement.text for group in (self.against, self.mimics, self.settles) for statement in group),
        )


@dataclass(frozen=True)
class KnowledgeBase:
    """The knowledge of all 14 conditions, its literature, and the hash of what it says: comments do not change it."""

    entries: dict[Condition, Knowledge]
    references: dict[str, Reference]
    sha256: str

    def __getitem__(self, condition: Condition) -> Knowledge:
        return self.entries[condition]


def load_knowledge(folder: Path | None = None) -> KnowledgeBase:
    """Return the knowledge base in ``folder``, by default the bundled one. Raises KnowledgeError."""
    folder = folder or resource("knowledge")
    references = _read(folder / _REFERENCES, dict[str, Reference])
    entries: dict[Condition, Knowledge] = {}
    for path in sorted(folder.glob("*.yaml")):
        if path.name == _REFERENCES:
            continue
        knowledge = _read(path, Knowledge)
        _check(knowledge, references, path)
        entries[knowledge.condition] = knowledge
    missing = [condition for condition in CONDITIONS if condition not in entries]
    if missing:
        raise KnowledgeError(f"{folder} says nothing of {', '.join(missing)}.", "Add a file for each.")
    ordered = {condition: entries[condition] for condition in CONDITIONS}
    said = msgspec.json.encode((ordered, references), order="sorted")
    return KnowledgeBase(ordered, references, hashlib.sha256(said).hexdigest())


def _read(path: Path, kind: type[Kind]) -> Kind:
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError) as error:
        raise KnowledgeError(f"{path} cannot be read: {error}", "Compare it with its neighbors.") from error


def _check(knowledge: Knowledge, references: dict[str, Reference], path: Path) -> None:
    statements = (knowledge.definition, *knowledge.against, *knowledge.mimics, *knowledge.settles)
    cited = [(statement.text, statement.references) for statement in statements]
    cited.extend((sign.text, sign.references) for sign in knowledge.signs)
    for text, keys in cited:
        unknown = [key for key in keys if key not in references]
        if unknown or not keys:
            raise KnowledgeError(
                f'{path} supports "{text}" with {", ".join(unknown) or "nothing"}.',
                f"Name works that {_REFERENCES} lists.",
            )
    for group in ("signs", "against", "mimics", "settles"):
        if not getattr(knowledge, group):
            raise KnowledgeError(f"{path} has no {group}.", "Add at least one.")
    wanted = {State.POSITIVE}
    if knowledge.condition is not Condition.NO_FINDING:
        wanted |= {State.NEGATIVE, State.UNCERTAIN}
    sides = {NO_SIDE, *(side.value for side in Side)}
    for state in sorted(wanted):
        by_side = knowledge.assertions.get(state, {})
        if NO_SIDE not in by_side or not sides.issuperset(by_side):
            raise KnowledgeError(
                f"{path}: the assertions for {state} lack '{NO_SIDE}' or name an unknown side.",
                f"The keys are {', '.join(sorted(sides))}.",
            )
