"""What clinicians decided about entries of the rationale library: kept beside it, never inside, and only added to.

A decision names the entry by the hash of its text. So it outlives a new library where the text returned, and where the
text has changed it no longer counts. One decision a line, JSON.
"""

from __future__ import annotations

import difflib
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from io import FileIO
from pathlib import Path

import msgspec
import platformdirs
from filelock import FileLock, Timeout

from kdistill_core.conditions import Condition, State
from kdistill_core.records import Review, ReviewStatus, SentenceRole, Severity, Side
from kdistill_core.resources import is_installed
from kdistill_core.teacher.entries import LibraryEntry
from kdistill_core.teacher.errors import LibraryError
from kdistill_core.teacher.grounding import GateVerdict
from kdistill_core.teacher.parts import read_parts

REVIEWS_FILE = "reviews.jsonl"
_LONGEST_NAME = 80
# A lock is held for one write.
_PATIENCE_SECONDS = 10.0


class Decision(StrEnum):
    """What a reviewer can decide."""

    ACCEPT = "accept"
    EDIT = "edit"
    REJECT = "reject"


_STATUS = {
    Decision.ACCEPT: ReviewStatus.ACCEPTED,
    Decision.EDIT: ReviewStatus.EDITED,
    Decision.REJECT: ReviewStatus.REJECTED,
}


@dataclass(frozen=True)
class EntryReview:
    """One decision of one reviewer about one entry.

    entry: hash of the entry as the library held it. when: ISO 8601, UTC. before: the labeled lines that were read,
    which are those of the library or of an earlier edit; after and diff (unified): of an edit. overruled: what the gate
    said against an edit that the reviewer insisted on.
    """

    entry: str
    condition: Condition
    state: State
    side: Side | None
    severity: Severity | None
    variant: int
    decision: Decision
    reviewer: str
    when: str
    before: str
    comment: str = ""
    after: str = ""
    diff: str = ""
    overruled: tuple[str, ...] = ()


def decide(
    entry: LibraryEntry,
    decision: Decision,
    reviewer: str,
    *,
    comment: str = "",
    after: str = "",
    overruled: Sequence[str] = (),
) -> EntryReview:
    """Return a decision made now about ``entry`` as it stands; after: the labeled lines of an edit.

    Raises LibraryError for a reviewer without a name, a rejection without a reason
    or an edit that is no rationale or changes nothing.
    """
    if decision is Decision.REJECT and not comment.strip():
        raise LibraryError(f"{entry.title} is rejected without a reason.", "Say in a few words what is wrong.")
    fault = fault_of_edit(entry.lines, after) if decision is Decision.EDIT else ""
    if fault:
        raise LibraryError(f"The edit of {entry.title} cannot be kept: {fault}.", "Change it, or accept the entry.")
    edited = decision is Decision.EDIT
    return EntryReview(
        entry=entry.held_sha256,
        condition=entry.condition,
        state=entry.state,
        side=entry.side,
        severity=entry.severity,
        variant=entry.variant,
        decision=decision,
        reviewer=reviewer_name(reviewer),
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        before=entry.lines,
        comment=" ".join(comment.split()),
        after=after.strip() if edited else "",
        diff=_difference(entry.lines, after.strip()) if edited else "",
        overruled=tuple(overruled),
    )


def fault_of_edit(before: str, after: str) -> str:
    """Return why edited labeled lines are no rationale at all, whatever they say; empty where they are one."""
    roles = [part.role for part in read_parts(after)]
    if after.strip() == before.strip():
        return "nothing was changed"
    if SentenceRole.OTHER in roles:
        return "a line does not begin with the name of its part and a colon"
    if len(set(roles)) < len(roles):
        return "a part is there twice"
    return "" if SentenceRole.ASSERTION in roles else "it no longer says what is found"


def reviewer_name(name: str) -> str:
    """Return a reviewer's name on one line. Raises LibraryError for none and for one too long to show."""
    name = " ".join(name.split())
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise LibraryError("A review needs the name of its reviewer.", f"Give one of 1 to {_LONGEST_NAME} characters.")
    return name


def _difference(before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "before", "after", lineterm="")
    return "\n".join(lines)


def review_files(library: Path) -> tuple[Path, ...]:
    """Return the files in which reviews of the library file ``library`` may lie; new ones go to the last.

    They lie beside it. An installed package's folder is not the user's, so that theirs are in the user's data folder.
    """
    beside = library.with_name(REVIEWS_FILE)
    if not is_installed(library):
        return (beside,)
    return beside, platformdirs.user_data_path("kdistill", appauthor=False) / REVIEWS_FILE


def read_reviews(files: Iterable[Path]) -> tuple[EntryReview, ...]:
    """Return the decisions in ``files`` by their time; a file that is not there holds none. Raises LibraryError."""
    found = [review for path in files if path.exists() for review in _read(path)]
    return tuple(sorted(found, key=lambda review: review.when))


def _read(path: Path) -> list[EntryReview]:
    reviews = []
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise LibraryError(f"The reviews {path} cannot be read: {error}", "Check its permissions.") from error
    for number, line in enumerate(lines, 1):
        try:
            reviews.append(msgspec.json.decode(line, type=EntryReview))
        except msgspec.DecodeError as error:
            raise LibraryError(
                f"The reviews {path} are damaged in line {number}: {error}.",
                "Take the line out, or put a copy of the file in its place; the other lines are whole.",
            ) from error
    return reviews


def append_reviews(path: Path, reviews: Sequence[EntryReview]) -> None:
    """Add decisions to ``path``, all in one write that is on the disk on return. Raises LibraryError.

    A file that ends in the middle of a line is left as it is. Several reviewers may be at work: a lock beside ``path``
    is held meanwhile, for a reader can see half of another's write.
    """
    block = b"".join(msgspec.json.encode(review) + b"\n" for review in reviews)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{path}.lock", timeout=_PATIENCE_SECONDS)
        with lock, path.open("ab+", buffering=0) as file:
            _require_whole(file, path)
            file.write(block)
            os.fsync(file.fileno())
    except Timeout as error:
        advice = "Another program holds it: close that one, or try again."
        raise LibraryError(f"The reviews {path} have been locked for {_PATIENCE_SECONDS:.0f} s.", advice) from error
    except OSError as error:
        raise LibraryError(f"The review cannot be kept in {path}: {error}", "Check permissions and space.") from error


def _require_whole(file: FileIO, path: Path) -> None:
    if file.seek(0, os.SEEK_END) == 0:
        return
    file.seek(-1, os.SEEK_END)
    if file.read(1) != b"\n":
        raise LibraryError(f"The reviews {path} end in the middle of a line.", "Take that line out.")


def reviewed(entries: Sequence[LibraryEntry], reviews: Sequence[EntryReview]) -> tuple[LibraryEntry, ...]:
    """Return ``entries`` as they stand after ``reviews``: in the words of the last edit, under the last decision."""
    by_entry: dict[str, list[EntryReview]] = defaultdict(list)
    for review in reviews:
        by_entry[review.entry].append(review)
    if not by_entry:
        return tuple(entries)
    return tuple(_standing(entry, by_entry.get(entry.sha256, ())) for entry in entries)


def _standing(entry: LibraryEntry, reviews: Sequence[EntryReview]) -> LibraryEntry:
    for review in reviews:
        if review.decision is Decision.EDIT:
            entry = entry.with_texts({part.role: part.text for part in read_parts(review.after)})
            entry = replace(entry, verdicts=_after_edit(entry.verdicts, review.overruled))
        entry = replace(entry, review=Review(_STATUS[review.decision], review.reviewer, review.when[:10]))
    return entry


def _after_edit(verdicts: Sequence[GateVerdict], overruled: Sequence[str]) -> tuple[GateVerdict, ...]:
    against = dict(said.split(": ", 1) for said in overruled)
    failed = tuple(GateVerdict(check, passed=False, reason=reason) for check, reason in against.items())
    checks = (verdict.check for verdict in verdicts if verdict.check not in against)
    return (*(GateVerdict(check, passed=True) for check in checks), *failed)


def outdated(entries: Sequence[LibraryEntry], reviews: Sequence[EntryReview]) -> tuple[EntryReview, ...]:
    """Return the decisions that do not count, because the library no longer holds the text they were made about."""
    known = {entry.sha256 for entry in entries}
    return tuple(review for review in reviews if review.entry not in known)


def counts_by_status(entries: Sequence[LibraryEntry]) -> dict[ReviewStatus, int]:
    """Return how many entries have each status."""
    counted = Counter(entry.review.status for entry in entries)
    return {status: counted[status] for status in ReviewStatus}
