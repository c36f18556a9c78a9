"""`kdistill teacher review`: a clinician accepts, edits or rejects the entries of a rationale library."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdistill_core.cli.console import result, say, show_table
from kdistill_core.conditions import CONDITIONS, Condition, State

if TYPE_CHECKING:
    from kdistill_core.records import ReviewStatus
    from kdistill_core.teacher.entries import LibraryEntry
    from kdistill_core.teacher.library import RationaleLibrary
    from kdistill_core.teacher.review import EntryReview


def review(
    library: Annotated[
        Path | None, typer.Argument(metavar="[LIBRARY]", help="library.json or its folder, where not the bundled one.")
    ] = None,
    reviewer: Annotated[str, typer.Option("--reviewer", metavar="NAME", help="Who reviews; exports show it.")] = "",
    condition: Annotated[str, typer.Option("--condition", help="Only this condition.")] = "",
    state: Annotated[State | None, typer.Option("--state", help="Only findings in this state.")] = None,
    status: Annotated[
        str, typer.Option("--status", help="Which entries: unreviewed, accepted, edited or rejected.")
    ] = "unreviewed",
    counts: Annotated[bool, typer.Option("--list", help="Show how many entries have which status, and stop.")] = False,
    export: Annotated[
        Path | None, typer.Option("--export", metavar="CSV", help="Write the entries to a table to fill in, and stop.")
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option("--import", metavar="CSV", help="Take the decisions of a filled-in table, and stop.")
    ] = None,
    insist: Annotated[
        bool, typer.Option("--insist", help="With --import: keep edits that the gate is against; that is recorded.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="The reviewer agrees to be named in exports.")] = False,
) -> None:
    """Review the rationale library: what is accepted or edited is used first, what is rejected never.

    Who decided what and when, the text before and the change are kept in reviews.jsonl beside the library, after each
    decision. A review of a text that a new library no longer holds does not count.
    """
    from kdistill_core.cli.review_session import ReviewSession
    from kdistill_core.teacher.knowledge import load_knowledge
    from kdistill_core.teacher.library import RationaleLibrary
    from kdistill_core.teacher.review import append_reviews, review_files, reviewer_name
    from kdistill_core.teacher.review_sheet import read_sheet, write_sheet

    path = _library_file(library)
    held = RationaleLibrary.load(path)
    target = review_files(path)[-1]
    wanted, standing = _condition(condition) if condition else None, _status(status)
    entries = [e for e in held.current if (wanted or e.condition) is e.condition and (state or e.state) is e.state]
    if counts:
        _show_counts(held, entries)
        return
    chosen = [entry for entry in entries if entry.review.status is standing]
    if export is not None:
        write_sheet(export, chosen, load_knowledge())
        say(f"{len(chosen)} entries. Fill in the column decision: accept, edit (and change the text), or reject.")
        result(str(export))
        return
    if not reviewer:
        raise typer.BadParameter("Say who reviews: --reviewer NAME.")
    name = reviewer_name(reviewer)
    if not (yes or any(done.reviewer == name for done in held.reviews)):
        _ask_for_consent(name)
    if sheet is not None:
        taken = read_sheet(sheet, held, load_knowledge(), name, insist=insist)
        append_reviews(target, taken)
        _say_kept(taken, target)
        return
    session = ReviewSession(name, load_knowledge(), lambda decided: append_reviews(target, [decided]))
    session.step_through(chosen)
    _say_kept(session.decided, target)


def _library_file(given: Path | None) -> Path:
    from kdistill_core.resources import resource
    from kdistill_core.teacher.library import LIBRARY_FILE

    if given is None:
        return resource(LIBRARY_FILE)
    return given / "library.json" if given.is_dir() else given


def _condition(name: str) -> Condition:
    found = next((condition for condition in CONDITIONS if condition.casefold() == name.strip().casefold()), None)
    if found is None:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(CONDITIONS)}.")
    return found


def _status(name: str) -> ReviewStatus:
    from kdistill_core.records import ReviewStatus

    try:
        return ReviewStatus(name.strip().casefold())
    except ValueError as error:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(ReviewStatus)}.") from error


def _show_counts(held: RationaleLibrary, entries: Sequence[LibraryEntry]) -> None:
    from kdistill_core.records import ReviewStatus
    from kdistill_core.teacher.review import counts_by_status, outdated

    rows = []
    for condition in CONDITIONS:
        mine = [entry for entry in entries if entry.condition is condition]
        if mine:
            rows.append([condition.value, *map(str, counts_by_status(mine).values()), str(len(mine))])
    rows.append(["all", *map(str, counts_by_status(entries).values()), str(len(entries))])
    show_table(["condition", *(status.value for status in ReviewStatus), "entries"], rows)
    lost = outdated(held.entries, held.reviews)
    if lost:
        say(f"{len(lost)} earlier reviews do not count: the library no longer holds the text they are of.")


def _ask_for_consent(name: str) -> None:
    say(f"The name {name!r} is kept with each decision. The viewer and its exports show it beside the text.")
    if not typer.confirm("Is that right with you?", err=True):
        raise typer.Abort


def _say_kept(decided: Sequence[EntryReview], target: Path) -> None:
    say(f"{len(decided)} decisions were kept." if len(decided) != 1 else "1 decision was kept.")
    result(str(target))
