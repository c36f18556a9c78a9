"""Writing: what is refused is written again and its reason kept, and nothing is asked twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from kdistill_core.conditions import FINDING_CONDITIONS, Condition, State
from kdistill_core.records import RationaleAuthor, SentenceRole
from kdistill_core.teacher.context import RationaleContext
from kdistill_core.teacher.drafts import Draft, Request
from kdistill_core.teacher.errors import RationaleWritingError
from kdistill_core.teacher.gate import judge_draft
from kdistill_core.teacher.knowledge import KnowledgeBase, load_knowledge
from kdistill_core.teacher.rationale import stored_rationale
from kdistill_core.teacher.store import UNWRITTEN, RationaleStore, Share
from kdistill_core.teacher.stored_rationale import FAULT, StoredRationale
from kdistill_core.teacher.writing import Tally, WritingSettings, write_rationales
from tests.teacher.scripted_teacher import IDENTITY, UNFIT, ScriptedWriter, fitting

CONTEXTS = tuple(RationaleContext(condition, State.POSITIVE) for condition in FINDING_CONDITIONS)
EDEMA = RationaleContext(Condition.EDEMA, State.POSITIVE)


@pytest.fixture(scope="module")
def knowledge() -> KnowledgeBase:
    return load_knowledge()


class Answering:
    """A writer that answers as it is told to."""

    identity = IDENTITY

    def __init__(self, answer: Callable[[Request], Draft | None]) -> None:
        self.answer = answer
        self.calls: list[tuple[Request, ...]] = []

    def write(self, requests: Sequence[Request]) -> Iterator[Draft]:
        self.calls.append(tuple(requests))
        # Any order will do, so the last comes first.
        yield from (draft for request in reversed(requests) if (draft := self.answer(request)) is not None)

    def asked(self) -> list[tuple[Condition, int]]:
        return [(request.context.condition, request.attempt) for call in self.calls for request in call]


def run(
    writer: Answering | ScriptedWriter,
    folder: Path,
    knowledge: KnowledgeBase,
    contexts: Sequence[RationaleContext] = CONTEXTS,
    settings: WritingSettings | None = None,
    share: Share | None = None,
) -> tuple[Tally, dict[RationaleContext, StoredRationale]]:
    store = RationaleStore(folder)
    with store.writing(share) as shelf:
        tally = write_rationales(
            contexts, writer, lambda text, context: judge_draft(text, context, knowledge), shelf, settings
        )
    assert store.check().sound
    return tally, {item.context: item for item in store}


def test_what_fits_is_stored_with_its_sentences(tmp_path: Path, knowledge: KnowledgeBase) -> None:
    tally, stored = run(Answering(lambda asked: Draft(asked, fitting(knowledge, asked.context))), tmp_path, knowledge)
    assert (tally.accepted, tally.refused, tally.first_passes, tally.first_tries) == (13, 0, 13, 13)
    known = knowledge[Condition.EDEMA]
    assert stored[EDEMA].text == " ".join(
        (
            known.assertion(State.POSITIVE, None),
            known.definition.text,
            known.signs[0].text,
            known.signs[0].argument,
            known.against[0].text,
            known.settles[0].text,
        )
    )
    assert stored[EDEMA].refusals == ()


def test_a_refused_draft_is_written_again_and_every_reason_is_kept(tmp_path: Path, knowledge: KnowledgeBase) -> None:
    def answer(asked: Request) -> Draft:
        return Draft(asked, UNFIT if asked.attempt < 2 else fitting(knowledge, asked.context))

    tally, stored = run(Answering(answer), tmp_path, knowledge, [EDEMA])
    assert [(refused.attempt, refused.text) for refused in stored[EDEMA].refusals] == [(0, UNFIT), (1, UNFIT)]
    reason = stored[EDEMA].refusals[0].reason
    assert stored[EDEMA].refusals[0].check == "parts"
    assert "lacks definition" in reason
    assert "invention: " in reason
    assert stored[EDEMA].accepted
    assert (tally.accepted, tally.first_passes, tally.first_tries, tally.reasons["parts"]) == (1, 0, 1, 2)


def test_what_never_fits_is_stored_as_refused_and_not_asked_again(tmp_path: Path, knowledge: KnowledgeBase) -> None:
    writer = Answering(lambda asked: Draft(asked, UNFIT))
    tally, stored = run(writer, tmp_path, knowledge, [EDEMA], WritingSettings(attempts=3))
    assert writer.asked() == [(Condition.EDEMA, attempt) for attempt in range(3)]
    assert (tally.accepted, tally.refused) == (0, 1)
    assert not stored[EDEMA].accepted
    assert stored[EDEMA].text == ""
    assert len(stored[EDEMA].refusals) == 3
    again = Answering(lambda asked: Draft(asked, UNFIT))
    tally, _ = run(again, tmp_path, knowledge, [EDEMA], WritingSettings(attempts=3))
    assert (again.calls, tally.reused, tally.written) == ([], 1, 0)


def test_another_seed_is_another_rationale(tmp_path: Path, knowledge: KnowledgeBase) -> None:
    for seed in (1, 2):
        tally, _ = run(ScriptedWriter(knowledge), tmp_path, knowledge, [EDEMA], WritingSettings(seed=seed, attempts=20))
        assert tally.accepted == 1
    assert {item.seed for item in RationaleStore(tmp_path)} == {1, 2}


def test_a_context_that_many_cases_share_is_written_once(tmp_path: Path, knowledge: KnowledgeBase) -> None:
    writer = Answering(lambda asked: Draft(asked, fitting(knowledge, asked.context)))
    tally, stored = run(writer, tmp_path, knowledge, [EDEMA, *CONTEXTS, EDEMA])
    assert len(writer.asked()) == len(set(writer.asked())) == tally.contexts == len(stored) == 13


def test_requests_are_handed_over_in_full_chunks_of_one_attempt(tmp_path: Path, knowledge: KnowledgeBase) -> None:
    writer = Answering(lambda asked: Draft(asked, UNFIT))
    run(writer, tmp_path, knowledge, CONTEXTS, WritingSettings(attempts=2, chunk=4))
    assert all(len({request.attempt for request in call}) == 1 for call in writer.calls)
    # 13 contexts: three full chunks as they come, each of whose refused ones fill a chunk; then what is left.
    assert [(call[0].attempt, len(call)) for call in writer.calls] == [
        (0, 4), (1, 4), (0, 4), (1, 4), (0, 4), (1, 4), (0, 1), (1, 1),
    ]  # fmt: skip


def test_contexts_are_not_read_far_ahead(tmp_path: Path, knowledge: KnowledgeBase) -> None:
    read = 0

    def endless() -> Iterator[RationaleContext]:
        nonlocal read
        for number in range(10_000):
            read += 1
            yield RationaleContext(Condition.EDEMA, State.POSITIVE, sentence=f"Edema {number}.")

    def stop(asked: Request) -> Draft | None:
        raise RationaleWritingError("Enough.")

    with pytest.raises(RationaleWritingError, match="Enough"):
        run(Answering(stop), tmp_path, knowledge, endless(), WritingSettings(chunk=8))  # type: ignore[arg-type]
    assert read <= 8


def test_a_fault_of_the_server_is_asked_again_and_changes_no_text(tmp_path: Path, knowledge: KnowledgeBase) -> None:
    failed: set[Condition] = set()

    def answer(asked: Request) -> Draft:
        if asked.context.condition not in failed:
            failed.add(asked.context.condition)
            return Draft(asked, "", "The server took too long.")
        return Draft(asked, fitting(knowledge, asked.context, asked.draw))

    tally, stored = run(Answering(answer), tmp_path / "faults", knowledge)
    steady = Answering(lambda asked: Draft(asked, fitting(knowledge, asked.context, asked.draw)))
    _, undisturbed = run(steady, tmp_path / "steady", knowledge)
    assert {item.key: item.text for item in stored.values()} == {item.key: item.text for item in undisturbed.values()}
    assert (tally.accepted, tally.unwritten, tally.faults["The server took too long."]) == (13, 0, 13)
    assert [(one.attempt, one.check, one.reason) for one in stored[EDEMA].refusals] == [
        (0, FAULT, "The server took too long.")
    ]


def test_what_a_server_left_unwritten_is_noted_and_tried_again_by_the_next_run(
    tmp_path: Path, knowledge: KnowledgeBase
) -> None:
    def answer(asked: Request) -> Draft:
        if asked.context == EDEMA:
            return Draft(asked, "", "The server took too long.")
        return Draft(asked, fitting(knowledge, asked.context))

    writer = Answering(answer)
    tally, stored = run(writer, tmp_path, knowledge, CONTEXTS, WritingSettings(attempts=3))
    assert (tally.accepted, tally.unwritten) == (12, 1)
    assert EDEMA not in stored
    # As many requests as there are attempts, and no endless wait.
    assert writer.asked().count((Condition.EDEMA, 0)) == 3
    noted = (tmp_path / UNWRITTEN / "0-of-1.jsonl").read_text(encoding="utf-8")
    assert "The server took too long." in noted
    steady = Answering(lambda asked: Draft(asked, fitting(knowledge, asked.context)))
    tally, stored = run(steady, tmp_path, knowledge, CONTEXTS, WritingSettings(attempts=3))
    assert (tally.accepted, tally.reused, steady.asked()) == (1, 12, [(Condition.EDEMA, 0)])
    assert stored[EDEMA].accepted
    assert not (tmp_path / UNWRITTEN / "0-of-1.jsonl").exists()


def test_a_writer_that_leaves_drafts_out_is_not_waited_for(tmp_path: Path, knowledge: KnowledgeBase) -> None:
    def answer(asked: Request) -> Draft | None:
        return None if asked.context == EDEMA else Draft(asked, fitting(knowledge, asked.context))

    with pytest.raises(RationaleWritingError, match="left out 1 of 13 drafts"):
        run(Answering(answer), tmp_path, knowledge)
    assert RationaleStore(tmp_path).check().accepted == 12


def test_two_shares_side_by_side_write_what_one_process_writes(tmp_path: Path, knowledge: KnowledgeBase) -> None:
    _, alone = run(ScriptedWriter(knowledge), tmp_path / "one", knowledge)
    first, second = ScriptedWriter(knowledge), ScriptedWriter(knowledge)
    store = RationaleStore(tmp_path / "two")
    with store.writing(Share(0, 2)) as left, store.writing(Share(1, 2)) as right:
        for writer, shelf in ((first, left), (second, right)):
            write_rationales(
                CONTEXTS, writer, lambda text, context: judge_draft(text, context, knowledge), shelf, WritingSettings()
            )
    assert store.check().sound
    assert {item.key: item.text for item in store} == {item.key: item.text for item in alone.values()}
    asked = [{request.context for call in writer.calls for request in call} for writer in (first, second)]
    assert all(asked)
    assert not asked[0] & asked[1]


def test_the_rationales_of_a_case_become_one_text(tmp_path: Path, knowledge: KnowledgeBase) -> None:
    fracture = RationaleContext(Condition.FRACTURE, State.UNCERTAIN)

    def answer(asked: Request) -> Draft:
        return Draft(asked, UNFIT if asked.context == CONTEXTS[0] else fitting(knowledge, asked.context))

    _, stored = run(Answering(answer), tmp_path, knowledge, [EDEMA, fracture, CONTEXTS[0]])
    rationale = stored_rationale([stored[CONTEXTS[0]], stored[EDEMA], stored[fracture]])
    assert rationale.text == f"{stored[EDEMA].text} {stored[fracture].text}"
    assert (rationale.author, rationale.provenance.model_name) == (RationaleAuthor.TEACHER, "scripted")
    said = [rationale.text[sentence.span.start : sentence.span.end] for sentence in rationale.sentences]
    assert said == [part.text for item in (EDEMA, fracture) for part in stored[item].sentences]
    opening = rationale.sentences[6]
    assert (opening.condition, opening.state, opening.role) == (
        Condition.FRACTURE, State.UNCERTAIN, SentenceRole.ASSERTION,
    )  # fmt: skip
