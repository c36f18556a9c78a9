"""The rationale library as a file: JSON with one line a sentence, so that a change of it can be read.

What many entries share (the checks that they passed, who wrote them) stands once, under a name.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from kdistill_core.conditions import Condition, State
from kdistill_core.records import Provenance, RationaleAuthor, SentenceRole, Severity, Side
from kdistill_core.teacher.entries import LibraryEntry, LibrarySentence
from kdistill_core.teacher.errors import LibraryError
from kdistill_core.teacher.grounding import GateVerdict

Shared = TypeVar("Shared")

MAKE_AGAIN = "Make it again with: kdistill teacher library."


class Origin(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True, frozen=True):
    """Who wrote an entry, and how it was decoded."""

    provenance: Provenance = msgspec.field(default_factory=Provenance)
    settings: str = ""


class EntryRow(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """An entry in the file.

    parts: its sentences by role, in order. statements: what a part says in other words. knowledge: the parts that are
    the knowledge base's own in an entry that a language model wrote. checks: name of the checks that it passed; failed:
    by check the reason. origin: name of its origin.
    """

    condition: Condition
    state: State
    variant: int
    author: RationaleAuthor
    parts: dict[SentenceRole, str]
    side: Side | None = None
    severity: Severity | None = None
    statements: dict[SentenceRole, str] = {}  # a Struct copies an empty default
    knowledge: tuple[SentenceRole, ...] = ()
    references: tuple[str, ...] = ()
    checks: str = ""
    failed: dict[str, str] = {}
    attempt: int = 0
    origin: str = ""


class LibraryRows(msgspec.Struct, forbid_unknown_fields=True):
    """The whole file."""

    format: Literal[2]
    knowledge_sha256: str
    prompts: dict[str, str]
    origins: dict[str, Origin]
    checks: dict[str, tuple[str, ...]]
    assertions: dict[Condition, dict[State, dict[str, str]]]
    entries: list[EntryRow]


def read_rows(path: Path) -> LibraryRows:
    """Return the library file ``path``. Raises LibraryError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=LibraryRows)
    except (OSError, msgspec.DecodeError) as error:
        raise LibraryError(f"The rationale library {path} cannot be read: {error}", MAKE_AGAIN) from error


def entries_in(rows: LibraryRows, path: Path) -> tuple[LibraryEntry, ...]:
    """Return the entries of the library file ``path``. Raises LibraryError where a name in it means nothing."""
    try:
        return tuple(_entry(row, rows) for row in rows.entries)
    except KeyError as error:
        raise LibraryError(f"The rationale library {path} does not say what {error} is.", MAKE_AGAIN) from error


def write_library(
    path: Path,
    entries: Sequence[LibraryEntry],
    knowledge_sha256: str,
    prompts: dict[str, str],
    assertions: dict[Condition, dict[State, dict[str, str]]],
) -> None:
    """Write a library to ``path``; an interrupted write leaves the earlier file."""
    origins: dict[Origin, str] = {}
    checks: dict[tuple[str, ...], str] = {}
    rows = LibraryRows(
        format=2,
        knowledge_sha256=knowledge_sha256,
        prompts=prompts,
        entries=[_row(entry, origins, checks) for entry in entries],
        origins={name: origin for origin, name in origins.items()},
        checks={name: passed for passed, name in checks.items()},
        assertions=assertions,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(rows), indent=1) + b"\n")
    partial.replace(path)


def _name_of(shared: Shared, names: dict[Shared, str]) -> str:
    """Number what many entries share, in the order of its coming."""
    return names.setdefault(shared, str(len(names) + 1))


def _row(entry: LibraryEntry, origins: dict[Origin, str], checks: dict[tuple[str, ...], str]) -> EntryRow:
    passed = tuple(verdict.check for verdict in entry.verdicts if verdict.passed)
    origin = Origin(entry.provenance, entry.settings)
    return EntryRow(
        condition=entry.condition,
        state=entry.state,
        variant=entry.variant,
        author=entry.author,
        parts={sentence.role: sentence.text for sentence in entry.sentences},
        side=entry.side,
        severity=entry.severity,
        statements={sentence.role: sentence.statement for sentence in entry.sentences if sentence.statement},
        knowledge=tuple(sentence.role for sentence in entry.sentences if sentence.author is not entry.author),
        references=entry.references,
        checks=_name_of(passed, checks) if passed else "",
        failed={verdict.check: verdict.reason for verdict in entry.verdicts if not verdict.passed},
        attempt=entry.attempt,
        origin=_name_of(origin, origins) if origin != Origin() else "",
    )


def _entry(row: EntryRow, rows: LibraryRows) -> LibraryEntry:
    origin = rows.origins[row.origin] if row.origin else Origin()
    passed = rows.checks[row.checks] if row.checks else ()
    return LibraryEntry(
        condition=row.condition,
        state=row.state,
        variant=row.variant,
        author=row.author,
        sentences=_sentences(row),
        side=row.side,
        severity=row.severity,
        references=row.references,
        verdicts=_verdicts(passed, row.failed),
        attempt=row.attempt,
        provenance=origin.provenance,
        settings=origin.settings,
    )


def _sentences(row: EntryRow) -> tuple[LibrarySentence, ...]:
    return tuple(
        LibrarySentence(
            role,
            text,
            RationaleAuthor.KNOWLEDGE if role in row.knowledge else row.author,
            row.statements.get(role, ""),
        )
        for role, text in row.parts.items()
    )


def _verdicts(passed: Sequence[str], failed: dict[str, str]) -> tuple[GateVerdict, ...]:
    return (
        *(GateVerdict(check, passed=True) for check in passed),
        *(GateVerdict(check, passed=False, reason=reason) for check, reason in failed.items()),
    )
