"""The library as a table for a reviewer who works elsewhere: filled in with any spreadsheet program and read back."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from kdistill_core.tables import Row, read_rows
from kdistill_core.teacher.context import RationaleContext
from kdistill_core.teacher.entries import LibraryEntry
from kdistill_core.teacher.errors import LibraryError
from kdistill_core.teacher.gate import judge_draft
from kdistill_core.teacher.knowledge import KnowledgeBase
from kdistill_core.teacher.library import RationaleLibrary
from kdistill_core.teacher.parts import LABELS, Part, labeled
from kdistill_core.teacher.review import Decision, EntryReview, decide

_ABOUT = ("entry", "finding", "status")
_DECIDED = ("decision", "comment")


def write_sheet(path: Path, entries: Sequence[LibraryEntry], knowledge: KnowledgeBase) -> None:
    """Write ``entries`` as a CSV file with empty columns for decision and comment.

    UTF-8 with a byte order mark, without which spreadsheet programs misread it; an interrupted write leaves the earlier
    file.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_ABOUT, *LABELS.values(), "references", *_DECIDED])
    for entry in entries:
        said = {part.role: part.text for part in entry.parts}
        writer.writerow(
            [
                entry.held_sha256,
                entry.title,
                entry.review.status.value,
                *(said.get(role, "") for role in LABELS),
                "; ".join(citations(entry, knowledge)),
                "",
                "",
            ]
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text.getvalue(), encoding="utf-8-sig")
    partial.replace(path)


def read_sheet(
    path: Path, library: RationaleLibrary, knowledge: KnowledgeBase, reviewer: str, *, insist: bool
) -> tuple[EntryReview, ...]:
    """Return the decisions that a filled-in sheet holds; a row without one holds none.

    insist: keep edits that the gate is against, with its reasons. Raises TableError for a file that is no such table
    and LibraryError, which names file and line, for a row that cannot be taken over; then none is.
    """
    by_hash = {entry.held_sha256: entry for entry in library.current}
    reviews = []
    for row in read_rows(path, [*_ABOUT, *LABELS.values(), *_DECIDED]):
        if row["decision"]:
            try:
                reviews.append(_decision(row, by_hash, knowledge, reviewer, insist=insist))
            except LibraryError as error:
                raise LibraryError(f"{path}, line {row.line}: {error.problem}", error.advice) from error
    return tuple(reviews)


def _decision(
    row: Row,
    by_hash: dict[str, LibraryEntry],
    knowledge: KnowledgeBase,
    reviewer: str,
    *,
    insist: bool,
) -> EntryReview:
    if row["entry"] not in by_hash:
        raise LibraryError(
            "The library does not hold this entry.",
            "The sheet was written from another library, or the text has changed since: write a new sheet.",
        )
    entry = by_hash[row["entry"]]
    try:
        decision = Decision(row["decision"].casefold())
    except ValueError as error:
        raise LibraryError(
            f"{row['decision']!r} is no decision.", f"Write {', '.join(Decision)}, or nothing."
        ) from error
    after = labeled([Part(role, " ".join(row[label].split())) for role, label in LABELS.items() if row[label]])
    if decision is not Decision.EDIT:
        if after != entry.lines:
            raise LibraryError(f"Its text was changed and the decision is {decision}.", "Write edit to keep the text.")
        return decide(entry, decision, reviewer, comment=row["comment"])
    against = objections(after, entry.context, knowledge)
    if against and not insist:
        raise LibraryError(
            f"The gate is against the edit: {'; '.join(against)}.", "Change it, or keep it as it is with --insist."
        )
    return decide(entry, decision, reviewer, comment=row["comment"], after=after, overruled=against)


def objections(lines: str, context: RationaleContext, knowledge: KnowledgeBase) -> tuple[str, ...]:
    """Return what the gate has against edited labeled lines."""
    verdicts = judge_draft(lines, context, knowledge).verdicts
    return tuple(f"{verdict.check}: {verdict.reason}" for verdict in verdicts if not verdict.passed)


def citations(entry: LibraryEntry, knowledge: KnowledgeBase) -> tuple[str, ...]:
    """Return the works behind an entry as they are cited; a key that the knowledge base no longer has stands alone."""
    found = []
    for key in entry.references:
        work = knowledge.references.get(key)
        doi = f" doi:{work.doi}" if work and work.doi else ""
        found.append(f"{work.citation}{doi}" if work else key)
    return tuple(found)
