"""The rationale library: what the teacher wrote earlier, with the prompt, model and gate verdicts behind each entry.

A workstation without the language model reads its teacher from here. Entries that no language model's text could
fill are composed of the knowledge base's own sentences, and say so by their author.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.records import (
    Finding,
    Provenance,
    Rationale,
    RationaleAuthor,
    Sentence,
    SentenceRole,
    Side,
    Span,
)
from kdistill_core.resources import resource
from kdistill_core.serialization import RecordError, from_json, to_json
from kdistill_core.teacher.errors import LibraryError
from kdistill_core.teacher.gate import GateVerdict
from kdistill_core.teacher.knowledge import NO_SIDE, Knowledge, KnowledgeBase

LIBRARY_FILE = "rationales/library.json"
# What a composed rationale speaks of; negatives are there to be asked for.
SPOKEN_STATES = frozenset({State.POSITIVE, State.UNCERTAIN})


@dataclass(frozen=True)
class LibrarySentence:
    """A sentence and the part it plays.

    author: LIBRARY for the language model's text, KNOWLEDGE for the knowledge base's own.
    statement: the statement of the knowledge base it was written from, empty where it is that statement.
    attempt: at which try the language model's text passed the gate, 0 for the first.
    """

    role: SentenceRole
    text: str
    author: RationaleAuthor = RationaleAuthor.KNOWLEDGE
    statement: str = ""
    attempt: int = 0
    verdicts: tuple[GateVerdict, ...] = ()


@dataclass(frozen=True)
class LibraryEntry:
    """One rationale of one condition in one state.

    assertions: the opening sentence per side (``none``, ``left``, ``right``, ``bilateral``), from the knowledge base.
    sentences: what follows it on every side; each names its own author.
    author: LIBRARY where a language model wrote any of them, KNOWLEDGE where it wrote none.
    provenance: model name and version, weights hash, prompt name, seed and time, where a language model wrote it.
    """

    condition: Condition
    state: State
    variant: int
    author: RationaleAuthor
    assertions: dict[str, str]
    sentences: tuple[LibrarySentence, ...]
    references: tuple[str, ...] = ()
    provenance: Provenance = field(default_factory=Provenance)
    verdicts: tuple[GateVerdict, ...] = ()

    def on_side(self, side: Side | None) -> tuple[LibrarySentence, ...]:
        """Return all sentences, opening with the assertion for ``side`` (without side where there is none for it)."""
        opening = self.assertions.get(side.value if side else NO_SIDE, self.assertions[NO_SIDE])
        return (LibrarySentence(SentenceRole.ASSERTION, opening), *self.sentences)


@dataclass(frozen=True)
class RationaleLibrary:
    """Every rationale the teacher keeps; ``prompts`` holds the text behind each prompt name of the entries."""

    entries: tuple[LibraryEntry, ...]
    knowledge_sha256: str = ""
    prompts: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | None = None) -> RationaleLibrary:
        """Return the library in ``path``, by default the bundled one. Raises LibraryError."""
        path = path or resource(LIBRARY_FILE)
        try:
            return from_json(path.read_bytes(), cls)
        except (OSError, RecordError) as error:
            raise LibraryError(
                f"The rationale library {path} cannot be read: {error}",
                "Make it again with training/write_rationales.py.",
            ) from error

    def save(self, path: Path) -> None:
        """Write the library to ``path``; an interrupted write leaves the earlier file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".partial")
        partial.write_bytes(to_json(self) + b"\n")
        partial.replace(path)

    def variants(self, condition: Condition, state: State) -> tuple[LibraryEntry, ...]:
        """Return every entry of a condition in a state, by variant; empty where there is none."""
        found = (entry for entry in self.entries if entry.condition is condition and entry.state is state)
        return tuple(sorted(found, key=lambda entry: entry.variant))

    def entry(self, condition: Condition, state: State, variant: int = 0) -> LibraryEntry:
        """Return one entry; ``variant`` counts on from the first after the last. Raises LibraryError."""
        variants = self.variants(condition, state)
        if not variants:
            raise LibraryError(
                f"The rationale library says nothing of {condition} in the state {state}.",
                "Make it again with training/write_rationales.py.",
            )
        return variants[variant % len(variants)]

    def compose(
        self,
        findings: Sequence[Finding],
        *,
        roles: Collection[SentenceRole] | None = None,
        variant: int = 0,
        states: Collection[State] = SPOKEN_STATES,
    ) -> Rationale:
        """Return the canonical rationale of a case, in the order of ``CONDITIONS``.

        It holds the entries of every finding in one of ``states``; of No Finding where none but Support Devices is.
        ``roles`` keeps only sentences of these roles. Raises LibraryError.
        """
        return compose_entries(self.entries_of(findings, variant=variant, states=states), roles=roles)

    def entries_of(
        self, findings: Sequence[Finding], *, variant: int = 0, states: Collection[State] = SPOKEN_STATES
    ) -> list[tuple[Finding, LibraryEntry]]:
        """Return the findings that a rationale speaks of, each with its entry. Raises LibraryError."""
        return [
            (finding, self.entry(finding.condition, finding.state, variant)) for finding in _spoken(findings, states)
        ]


def _spoken(findings: Iterable[Finding], states: Collection[State]) -> list[Finding]:
    by_condition = {finding.condition: finding for finding in findings if finding.state in states}
    if not set(by_condition) - {Condition.SUPPORT_DEVICES}:
        by_condition[Condition.NO_FINDING] = Finding(Condition.NO_FINDING, State.POSITIVE)
    return [by_condition[condition] for condition in CONDITIONS if condition in by_condition]


def compose_entries(
    parts: Sequence[tuple[Finding, LibraryEntry]], *, roles: Collection[SentenceRole] | None = None
) -> Rationale:
    """Return one rationale of several entries, each opening on the side of its finding.

    Its author is the language model where it wrote any of the sentences; every sentence names its own.
    """
    text = ""
    sentences: list[Sentence] = []
    author, provenance = RationaleAuthor.KNOWLEDGE, Provenance()
    for finding, entry in parts:
        for sentence in entry.on_side(finding.side):
            if roles is not None and sentence.role not in roles:
                continue
            start = len(text) + (1 if text else 0)
            text = f"{text} {sentence.text}" if text else sentence.text
            span = Span(start, len(text))
            sentences.append(Sentence(span, entry.condition, entry.state, sentence.role, sentence.author))
            if author is RationaleAuthor.KNOWLEDGE and sentence.author is not author:
                author, provenance = sentence.author, entry.provenance
    return Rationale(text, author, tuple(sentences), provenance=provenance)


def knowledge_entries(knowledge: KnowledgeBase) -> tuple[LibraryEntry, ...]:
    """Return the entries that the knowledge base fills by itself: one positive variant a sign, one of each other state.

    A positive entry gives definition, sign, argument and what speaks against it; an uncertain one what would settle
    it; a negative one is its assertion alone.
    """
    return tuple(entry for item in knowledge.entries.values() for entry in _entries_of(item))


def _entries_of(item: Knowledge) -> Iterable[LibraryEntry]:
    settles = item.settles[0]
    for index, sign in enumerate(item.signs):
        against = item.against[index % len(item.against)]
        sentences: tuple[LibrarySentence, ...] = (
            LibrarySentence(SentenceRole.DEFINITION, item.definition.text),
            LibrarySentence(SentenceRole.SIGN, sign.text),
            LibrarySentence(SentenceRole.ARGUMENT, sign.argument),
            LibrarySentence(SentenceRole.AGAINST, against.text),
        )
        references = (*item.definition.references, *sign.references, *against.references)
        first = _knowledge_entry(item, State.POSITIVE, sentences, references)
        yield replace(first, variant=index)
    if State.UNCERTAIN in item.assertions:
        sentences = (LibrarySentence(SentenceRole.OTHER, settles.text),)
        yield _knowledge_entry(item, State.UNCERTAIN, sentences, settles.references)
    if State.NEGATIVE in item.assertions:
        yield _knowledge_entry(item, State.NEGATIVE, (), ())


def _knowledge_entry(
    item: Knowledge, state: State, sentences: tuple[LibrarySentence, ...], references: tuple[str, ...]
) -> LibraryEntry:
    return LibraryEntry(
        condition=item.condition,
        state=state,
        variant=0,
        author=RationaleAuthor.KNOWLEDGE,
        assertions=item.assertions[state],
        sentences=sentences,
        references=tuple(dict.fromkeys(references)),
    )
