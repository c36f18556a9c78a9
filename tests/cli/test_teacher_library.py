"""`kdistill teacher review` and `kdistill teacher library`, as a clinician and an engineer meet them."""

from __future__ import annotations

import csv
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kdistill_core.cli.main import app
from kdistill_core.cli.review_session import ReviewSession
from kdistill_core.conditions import Condition, State
from kdistill_core.records import ReviewStatus
from kdistill_core.teacher.context import RationaleContext
from kdistill_core.teacher.knowledge import load_knowledge
from kdistill_core.teacher.library import RationaleLibrary
from kdistill_core.teacher.library_making import knowledge_entries
from kdistill_core.teacher.store import RationaleStore
from tests.teacher import library_examples as example

C = Condition


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A library of the first entry of two conditions, in the knowledge base's own words."""
    entries = [
        entry
        for entry in knowledge_entries(load_knowledge())
        if entry.condition in (C.EDEMA, C.FRACTURE)
        and (entry.state, entry.side, entry.severity, entry.variant) == (State.POSITIVE, None, None, 0)
    ]
    RationaleLibrary(tuple(entries)).save(tmp_path / "library.json")
    return tmp_path


def run(*arguments: object, answers: str = ""):
    result = CliRunner().invoke(app, ["teacher", *map(str, arguments)], input=answers)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def review(folder: Path, *arguments: object, answers: str = ""):
    return run("review", folder, "--reviewer", "Dr. A. Name", *arguments, answers=answers)


def statuses(folder: Path) -> dict[Condition, ReviewStatus]:
    return {e.condition: e.review.status for e in RationaleLibrary.load(folder / "library.json").current}


def test_a_reviewer_sees_text_works_and_verdicts_and_decides(folder: Path) -> None:
    shown = review(folder, "--yes", answers="accept\nr\nThe sign is wrong.\n").output
    assert "Edema, positive, variant 1" in shown
    assert "There is pulmonary edema." in shown
    assert "Thoracic Imaging" in shown
    assert "Not reviewed by a clinician" in shown
    assert statuses(folder) == {C.EDEMA: ReviewStatus.ACCEPTED, C.FRACTURE: ReviewStatus.REJECTED}
    rejected = RationaleLibrary.load(folder / "library.json").reviews[1]
    assert (rejected.comment, rejected.reviewer) == ("The sign is wrong.", "Dr. A. Name")


def test_a_reviewer_is_asked_once_whether_the_name_may_be_shown(folder: Path) -> None:
    refused = review(folder, answers="n\n")
    assert refused.exit_code == 1
    assert "exports show it" in refused.output
    assert not (folder / "reviews.jsonl").exists()
    review(folder, answers="y\na\nq\n")
    assert "exports show it" not in review(folder, answers="q\n").output


def test_without_a_reviewer_nothing_is_reviewed(folder: Path) -> None:
    assert run("review", folder).exit_code == 2


@pytest.mark.parametrize("answers", ["a\nq\n", "a\n"])
def test_what_was_decided_is_kept_however_the_review_ends(folder: Path, answers: str) -> None:
    result = review(folder, "--yes", answers=answers)
    assert "1 decision was kept." in result.output
    assert statuses(folder) == {C.EDEMA: ReviewStatus.ACCEPTED, C.FRACTURE: ReviewStatus.UNREVIEWED}
    assert "Edema" not in review(folder, answers="s\n").output


def test_an_interrupt_loses_no_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["a"])

    def prompt(*_: object, **__: object) -> str:
        answer = next(answers, None)
        if answer is None:
            raise KeyboardInterrupt
        return answer

    monkeypatch.setattr("typer.prompt", prompt)
    kept: list[object] = []
    session = ReviewSession("A. Name", load_knowledge(), kept.append)
    session.step_through([example.entry("a"), example.entry("b")])
    assert kept == session.decided
    assert len(kept) == 1


def editor(folder: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    """Set an editor that replaces a text in the file that it is given."""
    script = folder / "editor.sh"
    script.write_text(f"#!/bin/sh\nsed -i 's/{old}/{new}/' \"$1\"\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", str(script))


def test_an_edit_that_the_gate_is_against_is_kept_only_where_the_reviewer_insists(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor(folder, monkeypatch, "There is pulmonary edema", "There is a pneumothorax")
    discarded = review(folder, "--yes", "--condition", "edema", answers="e\nd\n")
    assert "does not assert Edema" in discarded.output
    assert statuses(folder)[C.EDEMA] is ReviewStatus.UNREVIEWED
    review(folder, "--yes", "--condition", "edema", answers="e\ni\nI know better.\n")
    (edit,) = RationaleLibrary.load(folder / "library.json").reviews
    assert any("does not assert Edema" in reason for reason in edit.overruled)
    assert "+Finding: There is a pneumothorax." in edit.diff
    assert edit.comment == "I know better."


def test_an_edit_is_used_with_its_reviewer_s_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.delenv("EDITOR", raising=False)
    known = load_knowledge()[C.EDEMA]
    answers = ["e", "", "", known.signs[1].text, known.signs[1].argument, "", "", "", ""]
    review(folder, "--yes", "--condition", "edema", answers="\n".join(answers))
    (entry,) = [e for e in RationaleLibrary.load(folder / "library.json").current if e.condition is C.EDEMA]
    assert (entry.review.status, entry.review.reviewer) == (ReviewStatus.EDITED, "Dr. A. Name")
    assert known.signs[1].text in entry.text
    assert known.signs[0].text not in entry.text


def test_the_list_counts_by_status_and_names_reviews_that_no_longer_count(folder: Path) -> None:
    review(folder, "--yes", answers="a\nq\n")
    (RationaleLibrary(RationaleLibrary.load(folder / "library.json").entries[1:])).save(folder / "library.json")
    listed = run("review", folder, "--list").output
    assert "Fracture,1,0,0,0,1" in listed
    assert "all,1,0,0,0,1" in listed
    assert "1 earlier reviews do not count" in listed


def filled_in(path: Path, changes: dict[str, dict[str, str]]) -> None:
    """Write cells into the rows of a sheet, found by the beginning of their finding."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row.update(next((new for name, new in changes.items() if row["finding"].startswith(name)), {}))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_a_sheet_filled_in_elsewhere_is_taken_over(folder: Path) -> None:
    sheet = folder / "sheet.csv"
    run("review", folder, "--export", sheet)
    known = load_knowledge()[C.EDEMA]
    against = known.against[1].text
    filled_in(sheet, {"Edema": {"decision": "Edit", "Against": against}, "Fracture": {"decision": "accept"}})
    result = review(folder, "--yes", "--import", sheet)
    assert "2 decisions were kept." in result.output
    assert statuses(folder) == {C.EDEMA: ReviewStatus.EDITED, C.FRACTURE: ReviewStatus.ACCEPTED}
    assert against in RationaleLibrary.load(folder / "library.json").current[0].text


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ({"decision": "accept", "entry": "0" * 64}, "does not hold this entry"),
        ({"decision": "fine"}, "is no decision"),
        ({"decision": "accept", "Sign": "It shows as another."}, "text was changed"),
        ({"decision": "reject"}, "without a reason"),
        ({"decision": "edit", "Sign": "It shows as a shadow of an elephant."}, "gate is against"),
    ],
)
def test_a_row_that_cannot_be_taken_over_is_named_and_nothing_is_kept(
    folder: Path, cells: dict[str, str], why: str
) -> None:
    sheet = folder / "sheet.csv"
    run("review", folder, "--export", sheet)
    filled_in(sheet, {"Edema": {"decision": "accept"}, "Fracture": cells})
    result = review(folder, "--yes", "--import", sheet)
    assert result.exit_code == 1
    assert "sheet.csv, line 3" in result.output
    assert why in result.output
    assert not (folder / "reviews.jsonl").exists()


def test_edits_of_a_sheet_that_the_gate_is_against_can_be_insisted_on(folder: Path) -> None:
    sheet = folder / "sheet.csv"
    run("review", folder, "--export", sheet)
    filled_in(sheet, {"Edema": {"decision": "edit", "Sign": "It shows as lines of another kind."}})
    review(folder, "--yes", "--insist", "--import", sheet)
    (edit,) = RationaleLibrary.load(folder / "library.json").reviews
    assert any(reason.startswith("grounding of the sign") for reason in edit.overruled)


def test_an_unknown_condition_and_a_missing_library_are_named(folder: Path) -> None:
    assert "Edema" in run("review", folder, "--list", "--condition", "oedema").output
    assert "rejected" in run("review", folder, "--list", "--status", "done").output
    missing = run("review", folder / "nowhere.json", "--list")
    assert missing.exit_code == 1
    assert "nowhere.json" in missing.output


def test_a_library_is_made_of_a_store_and_keeps_its_reviews(tmp_path: Path) -> None:
    known = load_knowledge()
    context = RationaleContext(C.EDEMA, State.POSITIVE)
    (written,) = [e for e in knowledge_entries(known) if e.context == context and e.variant == 1]
    with RationaleStore(tmp_path / "store").writing() as writer:
        writer.add(example.stored(context, written.lines, seed=4))
    out = tmp_path / "out"
    result = run("library", tmp_path / "store", "--out", out, "--variants", 1)
    assert result.exit_code == 0, result.output
    assert "the teacher wrote those of 1" in result.output
    library = RationaleLibrary.load(out / "library.json")
    assert library.entry(C.EDEMA, State.POSITIVE).provenance.model_name == "teacher-x"
    review(out, "--yes", "--condition", "Edema", "--state", "positive", answers="a\nq\n")
    run("library", tmp_path / "store", "--out", out, "--variants", 1)
    assert (
        sum(e.review.status is ReviewStatus.ACCEPTED for e in RationaleLibrary.load(out / "library.json").current) == 1
    )


def test_a_store_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    assert run("library", tmp_path / "nowhere", "--out", tmp_path).exit_code == 2
