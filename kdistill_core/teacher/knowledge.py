"""What is known of each condition on a frontal radiograph, statement by statement, each with its literature.

The files are ``resources/knowledge/*.yaml``: one a condition, and ``references.yaml`` for the literature.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.records import SentenceRole, Severity, Side
from kdistill_core.resources import resource
from kdistill_core.teacher.errors import KnowledgeError

Kind = TypeVar("Kind")

_REFERENCES = "references.yaml"
# How the lack of a side is written in the files.
NO_SIDE = "none"
# What an assertion opens with; a word of severity comes behind it.
_OPENING = re.compile(r"(?:There (?:is|are|may be)(?: (?P<article>an?))?|The [a-z ]+ is(?: possibly)?) ")


@dataclass(frozen=True)
class Reference:
    """A work of the literature; ``doi`` is empty for books and where it was not checked."""

    citation: str
    doi: str = ""


@dataclass(frozen=True, kw_only=True)
class _Fitting:
    """What may be said of some findings only. Empty: of any. sides: ``none`` stands for a side that is not named."""

    states: tuple[State, ...] = ()
    severity: tuple[Severity, ...] = ()
    sides: tuple[str, ...] = ()

    def fits(self, state: State | None, severity: Severity | None, side: Side | None) -> bool:
        """Tell whether it may be said of a finding; one of unknown state or severity may be of any."""
        return (
            (state is None or not self.states or state in self.states)
            and (severity is None or not self.severity or severity in self.severity)
            and (not self.sides or (side.value if side else NO_SIDE) in self.sides)
        )


@dataclass(frozen=True)
class Statement(_Fitting):
    """One sentence of knowledge and the keys of the works that support it."""

    text: str
    references: tuple[str, ...]


@dataclass(frozen=True)
class Sign(_Fitting):
    """How a condition shows, how that argues for it, and the keys of the works that support both."""

    text: str
    argument: str
    references: tuple[str, ...]


@dataclass(frozen=True)
class Fitting:
    """What of a condition's knowledge may be said of one finding."""

    signs: tuple[Sign, ...]
    against: tuple[Statement, ...]
    settles: tuple[Statement, ...]


@dataclass(frozen=True)
class Knowledge:
    """What is known of one condition.

    assertions: per state, the sentence that asserts it, keyed by side (``none``, ``left``, ``right``, ``bilateral``).
    severities: the word for each severity in an assertion; empty where a condition has none.
    """

    condition: Condition
    definition: Statement
    signs: tuple[Sign, ...]
    against: tuple[Statement, ...]
    mimics: tuple[Statement, ...]
    settles: tuple[Statement, ...]
    assertions: dict[State, dict[str, str]] = field(default_factory=dict)
    severities: dict[Severity, str] = field(default_factory=dict)

    def assertion(self, state: State, side: Side | None, severity: Severity | None = None) -> str:
        """Return the sentence that asserts ``state`` on ``side`` and how much of it there is.

        What a condition has no words for, a side or a severity, is left out; a denial has no severity. Raises
        KnowledgeError for a state that no sentence asserts.
        """
        by_side = self.assertions.get(state)
        if by_side is None:
            raise KnowledgeError(f"No sentence asserts that {self.condition} is {state}.", "Add one to its file.")
        text = by_side.get(side.value if side else NO_SIDE, by_side[NO_SIDE])
        word = self.severities.get(severity, "") if severity and state is not State.NEGATIVE else ""
        return _with_severity(text, word) if word else text

    def sides(self, state: State) -> tuple[Side | None, ...]:
        """Return the sides that ``state`` can be asserted on, the unnamed one first."""
        by_side = self.assertions.get(state, {})
        return (None, *(side for side in Side if side.value in by_side))

    def fitting(
        self, state: State | None = None, severity: Severity | None = None, side: Side | None = None
    ) -> Fitting:
        """Return what may be said of a finding of this state, severity and side; of any where they are not known."""
        return Fitting(
            tuple(sign for sign in self.signs if sign.fits(state, severity, side)),
            tuple(statement for statement in self.against if statement.fits(state, severity, side)),
            tuple(statement for statement in self.settles if statement.fits(state, severity, side)),
        )

    def of_role(self, role: SentenceRole, fitting: Fitting | None = None) -> tuple[str, ...]:
        """Return the statements that can play a part in a rationale, of all or of what is ``fitting``."""
        fitting = fitting or Fitting(self.signs, self.against, self.settles)
        return {
            SentenceRole.DEFINITION: (self.definition.text,),
            SentenceRole.SIGN: tuple(sign.text for sign in fitting.signs),
            SentenceRole.ARGUMENT: tuple(sign.argument for sign in fitting.signs),
            SentenceRole.AGAINST: tuple(statement.text for statement in fitting.against),
            SentenceRole.SETTLES: tuple(statement.text for statement in fitting.settles),
        }[role]

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
    _check_assertions(knowledge, path)
    _check_fitting(knowledge, path)


def _check_fitting(knowledge: Knowledge, path: Path) -> None:
    """Refuse a file that has nothing to say of a finding which it asserts."""
    for state, by_side in knowledge.assertions.items():
        for name in by_side:
            side = None if name == NO_SIDE else Side(name)
            for severity in (None, *Severity) if knowledge.severities else (None,):
                fitting = knowledge.fitting(state, severity, side)
                lacks = [group for group in ("signs", "against", "settles") if not getattr(fitting, group)]
                if lacks:
                    degree = f", {severity}" if severity else ""
                    raise KnowledgeError(
                        f"{path} has no {lacks[0]} that fit {state}, side {name}{degree}.",
                        "Add one, or let one fit more findings.",
                    )


def _check_assertions(knowledge: Knowledge, path: Path) -> None:
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
    if not knowledge.severities:
        return
    if set(knowledge.severities) != set(Severity):
        raise KnowledgeError(f"{path}: the severities lack some.", f"Give a word for each of {', '.join(Severity)}.")
    texts = (text for by_side in knowledge.assertions.values() for text in by_side.values())
    odd = next((text for text in texts if not _OPENING.match(text)), None)
    if odd is not None:
        raise KnowledgeError(
            f'{path}: "{odd}" leaves no place for a severity.', "Begin with There is, There may be, or The ... is."
        )


def _with_severity(assertion: str, word: str) -> str:
    """Put ``word`` behind the opening: There is a pleural effusion, There is a small pleural effusion."""
    opening = _OPENING.match(assertion)
    if opening is None:
        raise KnowledgeError(f'"{assertion}" leaves no place for a severity.', "Begin with There is or The ... is.")
    start, rest = opening.group(), assertion[opening.end() :]
    if opening["article"]:
        start = f"{start[: opening.start('article')]}{'an' if word[0] in 'aeio' else 'a'} "
    return f"{start}{word} {rest}"
