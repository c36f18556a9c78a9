"""Small libraries written by hand, and rationales as a store would give them."""

from __future__ import annotations

from dataclasses import replace

from kdistill_core.conditions import Condition, State
from kdistill_core.records import Provenance, RationaleAuthor, SentenceRole, Severity, Side
from kdistill_core.teacher.context import RationaleContext
from kdistill_core.teacher.drafts import WriterIdentity, rationale_key
from kdistill_core.teacher.entries import LibraryEntry, LibrarySentence
from kdistill_core.teacher.library import RationaleLibrary
from kdistill_core.teacher.parts import read_parts
from kdistill_core.teacher.prompts import load_prompt
from kdistill_core.teacher.stored_rationale import Refusal, StoredRationale

EFFUSION = Condition.PLEURAL_EFFUSION
OPENINGS = {
    "none": "There is a pleural effusion.",
    "left": "There is a left pleural effusion.",
    "small": "There is a small pleural effusion.",
    "left small": "There is a small left pleural effusion.",
}


def entry(
    sign: str,
    side: Side | None = None,
    severity: Severity | None = None,
    variant: int = 0,
    author: RationaleAuthor = RationaleAuthor.LIBRARY,
) -> LibraryEntry:
    """Return an entry of a pleural effusion whose sign can be told from others."""
    name = " ".join(part.value for part in (side, severity) if part) or "none"
    sentences = (
        LibrarySentence(SentenceRole.ASSERTION, OPENINGS[name], author),
        LibrarySentence(SentenceRole.SIGN, f"It shows as {sign}.", author),
    )
    return LibraryEntry(EFFUSION, State.POSITIVE, variant, author, sentences, side, severity)


def library(*entries: LibraryEntry) -> RationaleLibrary:
    """Return a library of ``entries`` with the openings above."""
    return RationaleLibrary(entries, assertions={EFFUSION: {State.POSITIVE: OPENINGS}})


def sign_of(chosen: LibraryEntry) -> str:
    """Return the word by which :func:`entry` named its sign."""
    return chosen.sentences[1].text.removeprefix("It shows as ").rstrip(".")


def stored(context: RationaleContext, lines: str, *, seed: int = 0, tries: int = 1) -> StoredRationale:
    """Return a rationale that was accepted at its last of ``tries``."""
    prompt = load_prompt()
    writer = WriterIdentity("teacher-x", "5" * 64, prompt.name, prompt.sha256, "greedy")
    refusals = tuple(Refusal(attempt, "x", "parts", "it lacks sign") for attempt in range(tries - 1))
    key = rationale_key(writer, context, seed)
    return StoredRationale(key, context, read_parts(lines), refusals, writer, seed, "2026-11-25T10:00:00+00:00", "0.2")


def with_provenance(written: LibraryEntry) -> LibraryEntry:
    """Return an entry that names who wrote it."""
    provenance = Provenance(model_name="teacher-x", weights_sha256="5" * 64, prompt="p", seed=3)
    return replace(written, provenance=provenance, settings="greedy", attempt=2)
