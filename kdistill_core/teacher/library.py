"""The rationale library: what the teacher wrote earlier, with the prompt, model and gate verdicts behind each entry.

A workstation without the language model reads its teacher from here. Findings that no language model's text covers have
entries of the knowledge base's own sentences, which say so by their author. What clinicians decided about an entry is
kept beside the library (:mod:`kdistill_core.teacher.review`): what they accepted or edited comes first, what they
rejected is never used.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.records import (
    Finding,
    Provenance,
    Rationale,
    RationaleAuthor,
    Review,
    ReviewStatus,
    Sentence,
    SentenceRole,
    Severity,
    Side,
    Span,
)
from kdistill_core.resources import resource
from kdistill_core.teacher.context import SPOKEN_STATES
from kdistill_core.teacher.entries import LibraryEntry, LibrarySentence
from kdistill_core.teacher.errors import LibraryError
from kdistill_core.teacher.knowledge import NO_SIDE
from kdistill_core.teacher.library_file import MAKE_AGAIN, entries_in, read_rows, write_library
from kdistill_core.teacher.review import EntryReview, read_reviews, review_files, reviewed

LIBRARY_FILE = "rationales/library.json"
_FIRST = frozenset({ReviewStatus.ACCEPTED, ReviewStatus.EDITED})
_Key = tuple[Condition, State, Side | None, Severity | None]


@dataclass(frozen=True)
class RationaleLibrary:
    """Every rationale the teacher keeps.

    prompts: the text behind each prompt name of the entries. assertions: by condition and state the knowledge base's
    sentence for every side and severity, named as :func:`opening_name` does. reviews: what was decided about entries.
    """

    entries: tuple[LibraryEntry, ...]
    knowledge_sha256: str = ""
    prompts: dict[str, str] = field(default_factory=dict)
    assertions: dict[Condition, dict[State, dict[str, str]]] = field(default_factory=dict)
    reviews: tuple[EntryReview, ...] = ()

    @classmethod
    def load(cls, path: Path | None = None) -> RationaleLibrary:
        """Return the library in ``path``, by default the bundled one, with its reviews. Raises LibraryError."""
        path = path or resource(LIBRARY_FILE)
        rows = read_rows(path)
        reviews = read_reviews(review_files(path))
        return cls(entries_in(rows, path), rows.knowledge_sha256, rows.prompts, rows.assertions, reviews)

    def save(self, path: Path) -> None:
        """Write the library to ``path``, without its reviews; an interrupted write leaves the earlier file."""
        write_library(path, self.entries, self.knowledge_sha256, self.prompts, self.assertions)

    @cached_property
    def current(self) -> tuple[LibraryEntry, ...]:
        """Every entry as it stands after its reviews, rejected ones included, in the order of ``entries``."""
        return reviewed(self.entries, self.reviews)

    @cached_property
    def _by_finding(self) -> dict[_Key, list[LibraryEntry]]:
        found: dict[_Key, list[LibraryEntry]] = defaultdict(list)
        for entry in self.current:
            if entry.review.status is not ReviewStatus.REJECTED:
                found[entry.condition, entry.state, entry.side, entry.severity].append(entry)
        return {key: _usable(entries) for key, entries in found.items()}

    def variants(
        self, condition: Condition, state: State, side: Side | None = None, severity: Severity | None = None
    ) -> tuple[LibraryEntry, ...]:
        """Return the entries nearest to a finding, reviewed ones first, then by variant; empty where there is none.

        Nearest are those of its side and severity, then those of its severity, of its side, and of neither: the signs
        of a small effusion are not those of a large one, but left and right look alike.
        """
        for key in _nearest(side, severity):
            found = self._by_finding.get((condition, state, *key))
            if found:
                return tuple(found)
        return ()

    def entry(
        self,
        condition: Condition,
        state: State,
        variant: int = 0,
        side: Side | None = None,
        severity: Severity | None = None,
    ) -> LibraryEntry:
        """Return one entry; ``variant`` counts on from the first after the last.

        One of another side opens with the assertion for the side that was asked for; a severity is named only where
        the entry was written for it. Where every entry was rejected the assertion stands alone. Raises LibraryError.
        """
        variants = self.variants(condition, state, side, severity)
        if variants:
            chosen = variants[variant % len(variants)]
            if chosen.side is side:
                return chosen
            assertion = self._assertion(condition, state, side, chosen.severity)
            return chosen.opened(assertion, side) if assertion else chosen
        alone = (self._assertion(condition, state, *key) for key in _nearest(side, severity))
        assertion = next(filter(None, alone), "")
        if not assertion:
            raise LibraryError(f"The rationale library says nothing of {condition} in the state {state}.", MAKE_AGAIN)
        sentence = LibrarySentence(SentenceRole.ASSERTION, assertion)
        return LibraryEntry(condition, state, 0, RationaleAuthor.KNOWLEDGE, (sentence,), side, severity)

    def _assertion(self, condition: Condition, state: State, side: Side | None, severity: Severity | None) -> str:
        return self.assertions.get(condition, {}).get(state, {}).get(opening_name(side, severity), "")

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
            (finding, self.entry(finding.condition, finding.state, variant, finding.side, finding.severity))
            for finding in _spoken(findings, states)
        ]

    def texts(self) -> tuple[str, ...]:
        """Return every sentence that it can say, each once, and the statements behind them."""
        by_name = (named for states in self.assertions.values() for named in states.values())
        openings = (text for named in by_name for text in named.values())
        said = (text for entry in self.current for part in entry.sentences for text in (part.text, part.statement))
        return tuple(dict.fromkeys(text for texts in (openings, said) for text in texts if text))


def opening_name(side: Side | None, severity: Severity | None) -> str:
    """Return how the assertion for a side and severity is named: ``none``, ``left``, ``small``, ``left small``."""
    return " ".join(part.value for part in (side, severity) if part) or NO_SIDE


def _nearest(side: Side | None, severity: Severity | None) -> tuple[tuple[Side | None, Severity | None], ...]:
    return (side, severity), (None, severity), (side, None), (None, None)


def _usable(entries: Sequence[LibraryEntry]) -> list[LibraryEntry]:
    """Put what clinicians accepted first; the knowledge base's text gives way to a language model's."""
    ordered = sorted(entries, key=lambda entry: entry.variant)
    first = [entry for entry in ordered if entry.review.status in _FIRST]
    rest = [entry for entry in ordered if entry.review.status not in _FIRST]
    written = [entry for entry in rest if entry.author is not RationaleAuthor.KNOWLEDGE]
    return [*first, *written] or rest


def _spoken(findings: Iterable[Finding], states: Collection[State]) -> list[Finding]:
    by_condition = {finding.condition: finding for finding in findings if finding.state in states}
    if not set(by_condition) - {Condition.SUPPORT_DEVICES}:
        by_condition[Condition.NO_FINDING] = Finding(Condition.NO_FINDING, State.POSITIVE)
    return [by_condition[condition] for condition in CONDITIONS if condition in by_condition]


def compose_entries(
    parts: Sequence[tuple[Finding, LibraryEntry]], *, roles: Collection[SentenceRole] | None = None
) -> Rationale:
    """Return one rationale of several entries.

    Its author is the language model where it wrote any of the sentences; every sentence names its own.
    """
    text = ""
    sentences: list[Sentence] = []
    author, provenance = RationaleAuthor.KNOWLEDGE, Provenance()
    for _, entry in parts:
        for sentence in entry.sentences:
            if roles is not None and sentence.role not in roles:
                continue
            start = len(text) + (1 if text else 0)
            text = f"{text} {sentence.text}" if text else sentence.text
            span = Span(start, len(text))
            review = _review_of(sentence, entry)
            sentences.append(Sentence(span, entry.condition, entry.state, sentence.role, sentence.author, review))
            if author is RationaleAuthor.KNOWLEDGE and sentence.author is not author:
                author, provenance = sentence.author, entry.provenance
    return Rationale(text, author, tuple(sentences), provenance=provenance)


def _review_of(sentence: LibrarySentence, entry: LibraryEntry) -> Review | None:
    """Tell what to say of a sentence's review.

    The knowledge base's assertion only names the finding, and stands in for other sides: nobody has to review it.
    """
    own = sentence.role is SentenceRole.ASSERTION and sentence.author is RationaleAuthor.KNOWLEDGE
    return None if own else entry.review
