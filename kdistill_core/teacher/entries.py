"""An entry of the rationale library: one whole rationale of one finding, and where every word of it comes from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

import msgspec

from kdistill_core.conditions import Condition, State
from kdistill_core.records import Provenance, RationaleAuthor, Review, SentenceRole, Severity, Side
from kdistill_core.teacher.context import RationaleContext
from kdistill_core.teacher.grounding import GateVerdict
from kdistill_core.teacher.parts import Part, labeled


@dataclass(frozen=True)
class LibrarySentence:
    """A sentence and the part it plays.

    author: LIBRARY for the language model's text, KNOWLEDGE for the knowledge base's own.
    statement: the statement of the knowledge base that it says in other words, empty where it is that statement.
    """

    role: SentenceRole
    text: str
    author: RationaleAuthor = RationaleAuthor.KNOWLEDGE
    statement: str = ""


@dataclass(frozen=True)
class LibraryEntry:
    """One rationale of one condition in one state, on one side and in one severity where these are named.

    variant: counts the rationales of equal findings. sentences: from the assertion on; each names its own author.
    author: LIBRARY where a language model wrote any of them, KNOWLEDGE where it wrote none.
    references: keys of the works behind its statements. verdicts: of the gate. attempt: at which try it passed, 0 for
    the first. provenance: model, weights hash, prompt, seed and time, where a language model wrote it; settings: how it
    was decoded. review: what clinicians say of it, as far as that has been looked up; edited_from: hash of the entry
    that a reviewer's edit began with, empty where the text is the library's own.
    """

    condition: Condition
    state: State
    variant: int
    author: RationaleAuthor
    sentences: tuple[LibrarySentence, ...]
    side: Side | None = None
    severity: Severity | None = None
    references: tuple[str, ...] = ()
    verdicts: tuple[GateVerdict, ...] = ()
    attempt: int = 0
    provenance: Provenance = field(default_factory=Provenance)
    settings: str = ""
    review: Review = field(default_factory=Review)
    edited_from: str = ""

    @property
    def context(self) -> RationaleContext:
        """What it is a rationale of."""
        return RationaleContext(self.condition, self.state, self.side, self.severity)

    @property
    def parts(self) -> tuple[Part, ...]:
        return tuple(Part(sentence.role, sentence.text) for sentence in self.sentences)

    @property
    def lines(self) -> str:
        """The labeled lines in which a language model would write it and a reviewer edits it."""
        return labeled(self.parts)

    @property
    def text(self) -> str:
        return " ".join(sentence.text for sentence in self.sentences)

    @property
    def sha256(self) -> str:
        """Hash of what it says and of what: it does not change with the number of its variant or who wrote it."""
        said = (self.context, [(sentence.role, sentence.text) for sentence in self.sentences])
        return hashlib.sha256(msgspec.json.encode(said, order="sorted")).hexdigest()

    @property
    def held_sha256(self) -> str:
        """Hash of the entry as the library holds it, whatever a reviewer made of it."""
        return self.edited_from or self.sha256

    @property
    def title(self) -> str:
        """The finding in words, such as ``Pleural Effusion, positive, left, small, variant 2``."""
        named = (self.condition, self.state, self.side, self.severity, f"variant {self.variant + 1}")
        return ", ".join(str(part) for part in named if part)

    def opened(self, assertion: str, side: Side | None) -> LibraryEntry:
        """Return the entry with another ``assertion`` of the knowledge base in front, for another ``side``."""
        rest = tuple(sentence for sentence in self.sentences if sentence.role is not SentenceRole.ASSERTION)
        return replace(self, side=side, sentences=(LibrarySentence(SentenceRole.ASSERTION, assertion), *rest))

    def with_texts(self, texts: dict[SentenceRole, str]) -> LibraryEntry:
        """Return the entry in the words of an editor; a part that ``texts`` does not name is left out."""
        known = {sentence.role: sentence for sentence in self.sentences}
        sentences = tuple(
            known[role] if role in known and known[role].text == text else LibrarySentence(role, text, self.author)
            for role, text in texts.items()
        )
        return replace(self, sentences=sentences, edited_from=self.held_sha256)
