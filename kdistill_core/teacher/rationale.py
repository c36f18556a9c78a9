"""A case's rationale by the teacher: from the library, or written now by the language model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version

from kdistill_core.conditions import State
from kdistill_core.records import Finding, Provenance, Rationale, RationaleAuthor
from kdistill_core.teacher.knowledge import KnowledgeBase
from kdistill_core.teacher.library import (
    LibraryEntry,
    LibrarySentence,
    RationaleLibrary,
    compose_entries,
    knowledge_entries,
)
from kdistill_core.teacher.model import TeacherModel
from kdistill_core.teacher.writing import RationalePrompt, Statement, write_one


@dataclass(frozen=True)
class LiveSettings:
    """How the teacher writes now.

    attempts: tries a sentence gets at the gate; the first takes the most likely words, the others are drawn.
    """

    seed: int = 0
    attempts: int = 3


def library_rationale(library: RationaleLibrary, findings: Sequence[Finding], *, variant: int = 0) -> Rationale:
    """Return what the library says of ``findings``. Raises LibraryError."""
    return library.compose(findings, variant=variant)


def write_case_rationale(
    teacher: TeacherModel,
    prompt: RationalePrompt,
    knowledge: KnowledgeBase,
    findings: Sequence[Finding],
    *,
    variant: int = 0,
    settings: LiveSettings | None = None,
    on_text: Callable[[str], None] | None = None,
    canceled: Callable[[], bool] | None = None,
) -> Rationale:
    """Let the language model write the rationale of ``findings`` now, sentence by sentence, through the same gate.

    A sentence that never passes is the knowledge base's own, and its tag says so. ``on_text`` gets the whole text as
    it grows, unfinished sentences and those that the gate then refuses included. Raises Canceled.
    """
    settings = settings or LiveSettings()
    said = ""

    def show(sentence: str) -> None:
        if on_text is not None:
            on_text(f"{said} {sentence}".strip())

    def rewrite(sentence: LibrarySentence, entry: LibraryEntry) -> LibrarySentence:
        nonlocal said
        statement = Statement(entry.condition, sentence.role, sentence.text)
        written = write_one(
            teacher,
            prompt,
            knowledge[entry.condition],
            statement,
            seed=settings.seed,
            attempts=settings.attempts,
            on_text=show,
            canceled=canceled,
        )
        text = written.text if written else sentence.text
        said = f"{said} {text}".strip()
        if written is None:
            return sentence
        return replace(sentence, text=text, author=RationaleAuthor.TEACHER, statement=sentence.text)

    library = RationaleLibrary(knowledge_entries(knowledge), knowledge.sha256)
    parts = []
    for finding, entry in library.entries_of(findings, variant=variant):
        said = f"{said} {entry.on_side(finding.side)[0].text}".strip()
        show("")
        sentences = entry.sentences
        if entry.state is State.POSITIVE:
            sentences = tuple(rewrite(sentence, entry) for sentence in entry.sentences)
        parts.append((finding, replace(entry, sentences=sentences)))
    rationale = compose_entries(parts)
    provenance = Provenance(
        model_name=teacher.name,
        weights_sha256=teacher.sha256,
        prompt=prompt.name,
        seed=settings.seed,
        software_version=version("kdistill"),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        device=str(teacher.model.device),
        precision=str(teacher.model.dtype).removeprefix("torch."),
    )
    written_now = any(sentence.author is RationaleAuthor.TEACHER for sentence in rationale.sentences)
    return replace(rationale, provenance=provenance) if written_now else rationale
