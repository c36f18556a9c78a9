"""Rationales of a store as a student's targets, against what was put into the store by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.stored_rationales import StoredRationales, share_stored, stored_answer
from kdistill_core.distillation.targets import Question, TeacherTargets, answered_targets
from kdistill_core.records import Finding, Provenance, SentenceRole
from kdistill_core.teacher.context import RationaleContext
from kdistill_core.teacher.drafts import WriterIdentity, rationale_key
from kdistill_core.teacher.entries import LibraryEntry
from kdistill_core.teacher.errors import RationaleStoreError
from kdistill_core.teacher.library import RationaleLibrary
from kdistill_core.teacher.parts import Part
from kdistill_core.teacher.store import RationaleStore
from kdistill_core.teacher.stored_rationale import Refusal, StoredRationale
from kdistill_core.teacher.study_rationales import CASES, case_table

_WRITER = WriterIdentity("scribe", "a" * 64, "prompt", "b" * 64, "greedy")
_EFFUSION, _EDEMA = Condition.PLEURAL_EFFUSION, Condition.EDEMA


def _stored(condition: Condition, sentence: str, *, accepted: bool = True) -> StoredRationale:
    context = RationaleContext(condition, State.POSITIVE, sentence=sentence)
    parts = (
        Part(SentenceRole.ASSERTION, f"Asserted: {sentence}"),
        Part(SentenceRole.DEFINITION, "Defined."),
        Part(SentenceRole.SIGN, f"Sign: {sentence}"),
    )
    refusals = () if accepted else (Refusal(0, "text", "parts", "reason"),)
    key = rationale_key(_WRITER, context, 7)
    return StoredRationale(key, context, parts if accepted else (), refusals, _WRITER, 7, "2026", "1.0")


def _findings(*positive: Condition) -> tuple[Finding, ...]:
    states = dict.fromkeys(positive, State.POSITIVE)
    return tuple(Finding(condition, states.get(condition, State.NEGATIVE)) for condition in CONDITIONS)


@pytest.fixture(scope="module")
def library() -> RationaleLibrary:
    return RationaleLibrary.load()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of three studies: an effusion, the same with a refused edema, and one with nothing."""
    folder = tmp_path_factory.mktemp("store")
    left, right = _stored(_EFFUSION, "left."), _stored(_EFFUSION, "right.")
    refused, nothing = _stored(_EDEMA, "edema.", accepted=False), _stored(Condition.NO_FINDING, "clear.")
    with RationaleStore(folder).writing() as shelf:
        for rationale in (left, right, refused, nothing):
            shelf.add(rationale)
    with case_table(folder / CASES, _WRITER, 7) as cases:
        cases.add("first", {_EFFUSION: left.key})
        cases.add("second", {_EFFUSION: right.key, _EDEMA: refused.key})
        cases.add("third", {Condition.NO_FINDING: nothing.key})
    return folder


def test_each_study_has_its_own_words_and_those_that_a_student_writes_alone(
    folder: Path, library: RationaleLibrary
) -> None:
    stored = StoredRationales.load(folder, ["first", "second"])
    questions = [stored.question(study, _findings(_EFFUSION), library) for study in ("first", "second")]
    texts = [[one.text for one in stored_answer(question, stored.entries, library, 3)] for question in questions]
    assert texts == [["Asserted: left. Sign: left."], ["Asserted: right. Sign: right."]]
    (rationale,) = stored_answer(questions[0], stored.entries, library)
    assert [rationale.text[part.span.start : part.span.end] for part in rationale.sentences] == [
        "Asserted: left.",
        "Sign: left.",
    ]
    assert {part.condition for part in rationale.sentences} == {_EFFUSION}
    assert rationale.provenance == Provenance(
        model_name="scribe", weights_sha256="a" * 64, prompt="prompt", seed=7, software_version="1.0", created="2026"
    )


def test_the_library_stands_in_for_what_was_refused_and_is_counted(folder: Path, library: RationaleLibrary) -> None:
    stored = StoredRationales.load(folder, ["second"])
    question = stored.question("second", _findings(_EDEMA, _EFFUSION), library)
    versions = stored_answer(question, stored.entries, library, 3)
    of_library = [library.compose([Finding(_EDEMA, State.POSITIVE)], variant=variant) for variant in range(3)]
    of_library = list({one.text: one for one in of_library}.values())
    for version, other in zip(versions, of_library, strict=True):
        first = other.sentences[0]
        assert other.text[first.span.start : first.span.end] in version.text
        assert version.text.endswith("Asserted: right. Sign: right.")
    assert share_stored([question, question], library) == (4, 2)


def test_a_study_without_findings_has_the_rationale_of_no_finding(folder: Path, library: RationaleLibrary) -> None:
    stored = StoredRationales.load(folder, ["third"])
    question = stored.question("third", _findings(), library)
    assert stored_answer(question, stored.entries, library)[0].text == "Asserted: clear. Sign: clear."
    # Beside a finding it says nothing.
    other = stored.question("third", _findings(_EDEMA), library)
    assert other.keys == ()


def test_a_rationale_of_another_state_is_not_taken(folder: Path, library: RationaleLibrary) -> None:
    stored = StoredRationales.load(folder, ["first"])
    entry = next(iter(stored.entries.values()))
    doubted = StoredRationales(stored.keys, {key: _as_uncertain(entry) for key in stored.entries})
    assert doubted.question("first", _findings(_EFFUSION), library).keys == ()


def _as_uncertain(entry: LibraryEntry) -> LibraryEntry:
    return replace(entry, state=State.UNCERTAIN)


def test_cases_share_a_group_where_findings_and_words_are_equal(folder: Path, library: RationaleLibrary) -> None:
    stored = StoredRationales.load(folder, ["first", "second"])
    asked = [stored.question(study, _findings(_EFFUSION), library) for study in ("first", "second", "first", "other")]
    asked.append(Question(asked[3].findings))
    targets = answered_targets(asked, lambda one: stored_answer(one, stored.entries, library), None)
    assert targets.groups.tolist() == [0, 1, 0, 2, 2]
    assert targets.texts[0] == targets.texts[2] != targets.texts[1]
    assert targets.finding_sets is not None
    assert (targets.finding_sets == targets.finding_sets[0]).all()
    assert (targets.states[:, CONDITIONS.index(_EFFUSION)] == 1).all()


def test_embeddings_by_condition_are_made_only_where_they_are_wanted(folder: Path, library: RationaleLibrary) -> None:
    stored = StoredRationales.load(folder, ["first"])
    asked = [stored.question("first", _findings(_EFFUSION), library)]

    def targets(*, wanted: bool) -> TeacherTargets:
        return answered_targets(
            asked, lambda one: stored_answer(one, stored.entries, library), _by_length, by_condition=wanted
        )

    assert targets(wanted=False).condition_embeddings is None
    with_them = targets(wanted=True)
    assert with_them.condition_embeddings is not None
    assert with_them.condition_embeddings.shape == (1, len(CONDITIONS), 2)
    np.testing.assert_array_equal(targets(wanted=False).embeddings, with_them.embeddings)


def _by_length(texts: Sequence[str]) -> NDArray[np.float32]:
    return np.array([[len(text), 1] for text in texts], dtype=np.float32)


def test_a_store_of_other_studies_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DistillationError, match="none of the 1 studies"):
        StoredRationales.load(folder, ["unknown"])
    with pytest.raises(RationaleStoreError, match="table of cases"):
        StoredRationales.load(tmp_path, ["first"])
