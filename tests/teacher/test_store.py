"""The store of rationales: what goes in comes out once, and what is damaged, foreign or held is named."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kdistill_core.conditions import Condition, State
from kdistill_core.records import SentenceRole, Severity, Side
from kdistill_core.teacher.context import RationaleContext
from kdistill_core.teacher.drafts import rationale_key
from kdistill_core.teacher.errors import RationaleStoreError
from kdistill_core.teacher.merging import merge_parts
from kdistill_core.teacher.parts import Part
from kdistill_core.teacher.store import PARTS, RationaleStore, Share
from kdistill_core.teacher.stored_rationale import FAULT, Refusal, StoredRationale
from tests.teacher.scripted_teacher import IDENTITY

REFUSED = (Refusal(0, "Finding: Something else.", "labeler", "the labeler reads nothing"),)


def rationale(number: int = 0, accepted: bool = True) -> StoredRationale:
    context = RationaleContext(
        Condition.PLEURAL_EFFUSION, State.POSITIVE, Side.LEFT, Severity.SMALL, (Condition.EDEMA,), f"Report {number}."
    )
    sentences = (
        Part(SentenceRole.ASSERTION, "There is a small left pleural effusion."),
        Part(SentenceRole.DEFINITION, "It is fluid."),
    )
    key = rationale_key(IDENTITY, context, 7)
    return StoredRationale(
        key, context, sentences if accepted else (), REFUSED, IDENTITY, 7, "2026-01-01T00:00:00+00:00", "1.0"
    )


def filled(folder: Path, count: int = 6, flush_every: int = 2) -> RationaleStore:
    store = RationaleStore(folder)
    with store.writing(flush_every=flush_every) as shelf:
        for number in range(count):
            shelf.add(rationale(number, accepted=number % 2 == 0))
    return store


def test_what_is_stored_comes_back_the_same(tmp_path: Path) -> None:
    store = filled(tmp_path)
    stored = {item.key: item for item in store}
    assert stored == {rationale(n).key: rationale(n, n % 2 == 0) for n in range(6)}
    assert store.keys() == set(stored)
    assert store.find([rationale(3).key, "missing"]) == {rationale(3).key: rationale(3, accepted=False)}
    check = store.check()
    assert (check.rationales, check.accepted, check.sound) == (6, 3, True)


def test_a_row_can_be_read_without_this_program(tmp_path: Path) -> None:
    filled(tmp_path, 1)
    (row,) = pq.read_table(tmp_path / PARTS).to_pylist()
    assert (row["condition"], row["state"], row["side"], row["severity"]) == (
        "Pleural Effusion", "positive", "left", "small",
    )  # fmt: skip
    assert row["text"] == "There is a small left pleural effusion. It is fluid."
    assert row["attempts"] == [
        {
            "attempt": 0,
            "text": "Finding: Something else.",
            "check": "labeler",
            "reason": "the labeler reads nothing",
        }
    ]
    assert row["context"].startswith('{"condition":"Pleural Effusion"')


def test_parts_are_stored_every_so_many_and_every_so_long(tmp_path: Path) -> None:
    store = RationaleStore(tmp_path)
    with store.writing(flush_every=2, flush_seconds=1e6) as shelf:
        seen = []
        for number in range(3):
            shelf.add(rationale(number))
            seen.append(len(store.keys()))
    assert (seen, len(store.keys())) == ([0, 2, 2], 3)
    with store.writing(flush_every=100, flush_seconds=0) as shelf:
        shelf.add(rationale(3))
        assert len(store.keys()) == 4


def test_a_rationale_is_not_taken_twice(tmp_path: Path) -> None:
    with filled(tmp_path).writing() as shelf, pytest.raises(ValueError, match="stored already"):
        shelf.add(rationale(0))


def test_what_was_finished_before_a_fault_is_stored(tmp_path: Path) -> None:
    store = RationaleStore(tmp_path)

    def fail() -> None:
        with store.writing() as shelf:
            shelf.add(rationale())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.keys() == {rationale().key}


@pytest.mark.parametrize("damage", ["cut off", "one bit", "empty"])
def test_a_damaged_part_is_named(tmp_path: Path, damage: str) -> None:
    store = filled(tmp_path, 40, 100)
    (part,) = store.parts()
    content = bytearray(part.read_bytes())
    if damage == "one bit":
        content[200] ^= 4  # among the rows
    part.write_bytes({"cut off": content[: len(content) // 2], "one bit": content, "empty": b""}[damage])
    for read in (lambda: list(store), store.check):
        with pytest.raises(RationaleStoreError, match=part.name):
            read()


def test_a_foreign_table_is_named(tmp_path: Path) -> None:
    store = filled(tmp_path)
    pq.write_table(pa.table({"key": ["x"]}), tmp_path / PARTS / "other.parquet")
    with pytest.raises(RationaleStoreError, match=r"other\.parquet is Parquet, but no part"):
        store.keys()


def test_what_a_killed_run_had_half_stored_does_not_count_and_is_removed(tmp_path: Path) -> None:
    store = filled(tmp_path)
    half = tmp_path / PARTS / "0-of-1-0123.parquet.partial"
    half.write_bytes(b"PAR1")
    assert len(store.keys()) == 6
    with store.writing():
        assert not half.exists()


def test_the_check_finds_what_contradicts_itself(tmp_path: Path) -> None:
    good = rationale()
    wrong = [
        dataclasses.replace(rationale(1), seed=8),
        dataclasses.replace(rationale(2), refusals=(Refusal(0, "", FAULT, ""),)),
        dataclasses.replace(rationale(3), sentences=(), refusals=()),
    ]
    store = RationaleStore(tmp_path)
    for _ in range(2):  # as two runs that do not know of each other would
        with store.writing() as shelf:
            shelf.known.clear()
            shelf.add(good)
    with store.writing() as shelf:
        for item in wrong:
            shelf.add(item)
    check = store.check()
    assert check.doubled == (good.key,)
    assert [check.invalid[item.key].split(": ")[1] for item in wrong] == [
        "its key is not the address of its content",
        "a refusal has no reason",
        "it was neither accepted nor refused",
    ]
    assert not check.sound


def test_the_check_finds_a_text_that_is_not_its_sentences(tmp_path: Path) -> None:
    store = filled(tmp_path, 1)
    (part,) = store.parts()
    table = pq.read_table(part)
    place = table.schema.get_field_index("text")
    pq.write_table(table.set_column(place, table.schema.field("text"), pa.array(["Another text."])), part)
    assert store.check().invalid == {
        rationale(0).key: f"{part.name}: its column 'text' does not say what the others say"
    }


def test_two_runs_cannot_write_one_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdistill_core.teacher.store._PATIENCE_SECONDS", 0.01)
    with RationaleStore(tmp_path).writing(Share(0, 2)):
        with (
            pytest.raises(RationaleStoreError, match="Another run is writing"),
            RationaleStore(tmp_path).writing(Share(0, 2)),
        ):
            pass
        # Shares of another number of processes would overlap with this one.
        with pytest.raises(RationaleStoreError, match="share 0-of-2"), RationaleStore(tmp_path).writing(Share(0, 1)):
            pass
        with RationaleStore(tmp_path).writing(Share(1, 2)):
            pass
    with RationaleStore(tmp_path).writing(Share(0, 1)):
        pass


def test_shares_divide_all_keys_among_them() -> None:
    keys = [rationale(number).key for number in range(300)]
    held = [[key for key in keys if Share(rank, 3).holds(key)] for rank in range(3)]
    assert sorted(key for share in held for key in share) == sorted(keys)
    assert all(70 <= len(share) <= 130 for share in held)


def test_small_parts_become_one_with_the_same_rationales(tmp_path: Path) -> None:
    store = filled(tmp_path, 12, 1)
    before = {item.key: item for item in store}
    assert merge_parts(store, at_least=20) == 0
    assert merge_parts(store, at_least=12) == 12
    assert len(list((tmp_path / PARTS).iterdir())) == 1
    assert {item.key: item for item in store} == before
    assert store.check().sound


def test_parts_that_a_killed_merge_left_behind_do_not_count_twice(tmp_path: Path) -> None:
    store = filled(tmp_path, 4, 1)
    left = {path: path.read_bytes() for path in store.parts()}
    merge_parts(store, at_least=2)
    for path, content in left.items():
        path.write_bytes(content)
    assert (store.check().rationales, store.check().sound) == (4, True)
    with store.writing() as shelf:
        shelf.add(rationale(9))
    assert merge_parts(store, at_least=2) == 2
    assert len(list((tmp_path / PARTS).iterdir())) == 1
    assert (store.check().rationales, store.check().sound) == (5, True)
