"""Reviews of library entries: what is kept, what counts, and that nothing is lost or taken from another text."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from kdistill_core import resources
from kdistill_core.conditions import State
from kdistill_core.records import ReviewStatus, SentenceRole
from kdistill_core.teacher.entries import LibraryEntry
from kdistill_core.teacher.errors import LibraryError
from kdistill_core.teacher.library import RationaleLibrary
from kdistill_core.teacher.review import (
    Decision,
    EntryReview,
    append_reviews,
    counts_by_status,
    decide,
    outdated,
    read_reviews,
    review_files,
    reviewed,
)
from tests.teacher import library_examples as example

ENTRY = example.entry("a blunted angle")


def edited(entry: LibraryEntry, old: str, new: str, reviewer: str = "B. Name") -> EntryReview:
    return decide(entry, Decision.EDIT, reviewer, after=entry.lines.replace(old, new))


def later(review: EntryReview, hours: int) -> EntryReview:
    return replace(review, when=f"2026-11-25T{hours:02}:00:00+00:00")


def test_a_review_keeps_who_when_what_was_read_and_the_change() -> None:
    review = edited(ENTRY, "blunted", "rounded")
    assert review.entry == ENTRY.sha256
    assert (review.reviewer, review.decision) == ("B. Name", Decision.EDIT)
    assert review.when.endswith("+00:00")
    assert review.before == ENTRY.lines
    assert "-Sign: It shows as a blunted angle.\n+Sign: It shows as a rounded angle." in review.diff


@pytest.mark.parametrize(
    ("decision", "status"),
    [(Decision.ACCEPT, ReviewStatus.ACCEPTED), (Decision.REJECT, ReviewStatus.REJECTED)],
)
def test_a_decision_gives_the_entry_its_status_name_and_day(decision: Decision, status: ReviewStatus) -> None:
    review = replace(decide(ENTRY, decision, "A. Name", comment="so"), when="2026-11-25T23:59:00+00:00")
    (entry,) = reviewed([ENTRY], [review])
    assert (entry.review.status, entry.review.reviewer, entry.review.date) == (status, "A. Name", "2026-11-25")
    assert entry.text == ENTRY.text


def test_the_last_decision_counts_and_edits_add_up() -> None:
    first = later(edited(ENTRY, "blunted", "rounded"), 8)
    (once,) = reviewed([ENTRY], [first])
    second = later(edited(once, "rounded angle", "rounded, white angle", "C. Name"), 9)
    accepted = later(decide(once, Decision.ACCEPT, "D. Name"), 10)
    assert second.entry == first.entry == ENTRY.sha256
    (entry,) = reviewed([ENTRY], [first, second, accepted])
    assert example.sign_of(entry) == "a rounded, white angle"
    assert (entry.review.status, entry.review.reviewer) == (ReviewStatus.ACCEPTED, "D. Name")


def test_a_review_of_a_text_that_has_changed_does_not_count() -> None:
    review = decide(ENTRY, Decision.ACCEPT, "A. Name")
    changed = example.entry("another angle")
    assert reviewed([changed], [review])[0].review.status is ReviewStatus.UNREVIEWED
    assert outdated([changed], [review]) == (review,)


def test_a_review_outlives_a_new_library_that_says_the_same_elsewhere() -> None:
    review = decide(ENTRY, Decision.ACCEPT, "A. Name")
    moved = example.with_provenance(replace(ENTRY, variant=2))
    assert reviewed([moved], [review])[0].review.status is ReviewStatus.ACCEPTED
    assert not outdated([moved], [review])


def test_the_same_words_about_another_finding_are_another_text() -> None:
    review = decide(ENTRY, Decision.ACCEPT, "A. Name")
    other = replace(ENTRY, state=State.UNCERTAIN)
    assert reviewed([other], [review])[0].review.status is ReviewStatus.UNREVIEWED


def test_what_the_gate_had_against_an_edit_stays_with_the_entry() -> None:
    after = ENTRY.lines.replace("blunted", "rounded")
    review = decide(ENTRY, Decision.EDIT, "A. Name", after=after, overruled=("length: it is long: too long",))
    (entry,) = reviewed([ENTRY], [review])
    assert [(v.check, v.passed, v.reason) for v in entry.verdicts] == [("length", False, "it is long: too long")]


@pytest.mark.parametrize(
    ("decision", "reviewer", "after", "why"),
    [
        (Decision.REJECT, "A. Name", "", "without a reason"),
        (Decision.ACCEPT, "  ", "", "name"),
        (Decision.ACCEPT, "A" * 81, "", "name"),
        (Decision.EDIT, "A. Name", ENTRY.lines, "nothing was changed"),
        (Decision.EDIT, "A. Name", "It shows as a wide angle.", "part and a colon"),
        (Decision.EDIT, "A. Name", ENTRY.lines + "\nSign: It shows as two.", "twice"),
        (Decision.EDIT, "A. Name", "Sign: It shows as two.", "what is found"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_its_reason(
    decision: Decision, reviewer: str, after: str, why: str
) -> None:
    with pytest.raises(LibraryError, match=why):
        decide(ENTRY, decision, reviewer, after=after)


def test_reviews_are_added_and_read_back_by_their_time(tmp_path: Path) -> None:
    path = tmp_path / "user" / "reviews.jsonl"
    first = later(decide(ENTRY, Decision.ACCEPT, "A. Näme"), 9)
    second = later(edited(ENTRY, "blunted", "rounded"), 8)
    append_reviews(path, [first])
    append_reviews(path, [second])
    assert read_reviews([path, tmp_path / "not there"]) == (second, first)
    assert all(json.loads(line)["entry"] == ENTRY.sha256 for line in path.read_text(encoding="utf-8").splitlines())


def test_reviewers_at_work_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "reviews.jsonl"
    review = decide(ENTRY, Decision.ACCEPT, "A. Name")
    threads = [threading.Thread(target=lambda: [append_reviews(path, [review]) for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read_reviews([path]) == (review,) * 80


def test_a_lock_that_another_program_keeps_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdistill_core.teacher.review._PATIENCE_SECONDS", 0.1)
    path = tmp_path / "reviews.jsonl"
    with FileLock(f"{path}.lock"), pytest.raises(LibraryError, match=r"reviews\.jsonl have been locked"):
        append_reviews(path, [decide(ENTRY, Decision.ACCEPT, "A. Name")])


@pytest.mark.parametrize("end", [b'{"entry": "1', b"\xff\n", b"[]\n"])
def test_a_damaged_file_is_named_with_its_line_and_left_as_it_is(tmp_path: Path, end: bytes) -> None:
    path = tmp_path / "reviews.jsonl"
    append_reviews(path, [decide(ENTRY, Decision.ACCEPT, "A. Name")])
    damaged = path.read_bytes() + end
    path.write_bytes(damaged)
    with pytest.raises(LibraryError, match=r"reviews\.jsonl.* line 2"):
        read_reviews([path])
    if not end.endswith(b"\n"):
        with pytest.raises(LibraryError, match="middle of a line"):
            append_reviews(path, [decide(ENTRY, Decision.ACCEPT, "A. Name")])
    assert path.read_bytes() == damaged


def test_a_library_with_a_damaged_review_file_is_not_read_as_if_there_were_none(tmp_path: Path) -> None:
    example.library(ENTRY).save(tmp_path / "library.json")
    (tmp_path / "reviews.jsonl").write_text("no review\n")
    with pytest.raises(LibraryError, match="line 1"):
        RationaleLibrary.load(tmp_path / "library.json")


def test_reviews_lie_beside_a_library_of_one_s_own(tmp_path: Path) -> None:
    example.library(ENTRY).save(tmp_path / "library.json")
    assert review_files(tmp_path / "library.json") == (tmp_path / "reviews.jsonl",)
    append_reviews(tmp_path / "reviews.jsonl", [edited(ENTRY, "blunted", "rounded")])
    loaded = RationaleLibrary.load(tmp_path / "library.json")
    assert loaded.current[0].sentences[1].role is SentenceRole.SIGN
    assert example.sign_of(loaded.current[0]) == "a rounded angle"
    assert counts_by_status(loaded.current)[ReviewStatus.EDITED] == 1


def test_reviews_of_an_installed_library_lie_in_the_user_s_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "_INSTALLED", tmp_path / "package")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    shipped, own = review_files(tmp_path / "package" / "rationales" / "library.json")
    assert shipped == tmp_path / "package" / "rationales" / "reviews.jsonl"
    assert not own.is_relative_to(tmp_path / "package")
    assert own.name == "reviews.jsonl"
