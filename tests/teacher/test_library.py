"""The rationale library: what it composes, and that the bundled one is what the gate let through."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.labeling import label_report
from kdistill_core.records import Finding, RationaleAuthor, SentenceRole, Side
from kdistill_core.teacher.errors import LibraryError
from kdistill_core.teacher.gate import judge_rationale, judge_sentence, passed
from kdistill_core.teacher.knowledge import load_knowledge
from kdistill_core.teacher.library import RationaleLibrary, knowledge_entries

C, S = Condition, State


@pytest.fixture(scope="module")
def library() -> RationaleLibrary:
    return RationaleLibrary.load()


def test_spans_cut_the_text_into_its_sentences(library: RationaleLibrary) -> None:
    rationale = library.compose(
        [Finding(C.PLEURAL_EFFUSION, S.POSITIVE, side=Side.LEFT), Finding(C.CARDIOMEGALY, S.POSITIVE)]
    )
    texts = [rationale.text[s.span.start : s.span.end] for s in rationale.sentences]
    assert " ".join(texts) == rationale.text
    assert texts[0] == "There is cardiomegaly."
    assert "There is a left pleural effusion." in texts
    assert {s.condition for s in rationale.sentences} == {C.CARDIOMEGALY, C.PLEURAL_EFFUSION}


def test_nothing_found_is_said_of_a_case_without_findings(library: RationaleLibrary) -> None:
    assert library.compose([]).sentences[0].condition is C.NO_FINDING
    devices = library.compose([Finding(C.SUPPORT_DEVICES, S.POSITIVE)])
    assert {s.condition for s in devices.sentences} == {C.SUPPORT_DEVICES, C.NO_FINDING}


def test_roles_choose_the_sentences(library: RationaleLibrary) -> None:
    rationale = library.compose([Finding(C.EDEMA, S.POSITIVE)], roles=[SentenceRole.ASSERTION])
    assert rationale.text == "There is pulmonary edema."
    assert rationale.author is RationaleAuthor.KNOWLEDGE


def test_variants_take_turns(library: RationaleLibrary) -> None:
    count = len(library.variants(C.EDEMA, S.POSITIVE))
    texts = [library.compose([Finding(C.EDEMA, S.POSITIVE)], variant=v).text for v in range(count + 1)]
    assert len(set(texts)) == count >= 2
    assert texts[0] == texts[count]


@pytest.mark.parametrize("side", [None, *Side])
def test_every_composed_rationale_reads_as_its_findings(library: RationaleLibrary, side: Side | None) -> None:
    for entry in library.entries:
        rationale = library.compose(
            [Finding(entry.condition, entry.state, side=side)], variant=entry.variant, states=[entry.state]
        )
        said = {f.condition: f.state for f in label_report(rationale.text) if f.state is not S.BLANK}
        if entry.condition is not C.NO_FINDING:
            said.pop(C.NO_FINDING, None)
        assert said == {entry.condition: entry.state}


def test_the_rationale_of_all_findings_together_reads_as_all_of_them(library: RationaleLibrary) -> None:
    findings = [Finding(c, S.POSITIVE, side=Side.LEFT) for c in CONDITIONS if c is not C.NO_FINDING]
    for variant in range(4):
        read = label_report(library.compose(findings, variant=variant).text)
        assert {f.condition for f in read if f.state is S.POSITIVE} == {f.condition for f in findings}


def test_the_bundled_library_passes_the_gate_as_it_is_now(library: RationaleLibrary) -> None:
    for entry in library.entries:
        for sentence in entry.sentences:
            if sentence.author is RationaleAuthor.LIBRARY:
                assert passed(judge_sentence(sentence.text, sentence.statement, sentence.role)), sentence.text
        body = " ".join(sentence.text for sentence in entry.sentences)
        for opening in entry.assertions.values():
            assert judge_rationale(f"{opening} {body}", entry.condition, entry.state).passed


def test_the_bundled_library_was_made_from_the_bundled_knowledge(library: RationaleLibrary) -> None:
    knowledge = load_knowledge()
    assert library.knowledge_sha256 == knowledge.sha256
    statements = {text for item in knowledge.entries.values() for text in item.statements()}
    for entry in library.entries:
        for sentence in entry.sentences:
            assert (sentence.statement or sentence.text) in statements


def test_text_of_the_language_model_names_model_weights_prompt_and_seed(library: RationaleLibrary) -> None:
    written = [entry for entry in library.entries if entry.author is RationaleAuthor.LIBRARY]
    assert written
    for entry in written:
        assert entry.provenance.model_name
        assert len(entry.provenance.weights_sha256) == 64
        assert entry.provenance.prompt in library.prompts
        assert entry.provenance.seed is not None
        assert all(verdict.passed for verdict in entry.verdicts)


def test_a_sentence_of_the_knowledge_base_never_passes_for_the_language_model(library: RationaleLibrary) -> None:
    for entry in library.entries:
        authors = {sentence.author for sentence in entry.sentences}
        assert authors <= {RationaleAuthor.LIBRARY, RationaleAuthor.KNOWLEDGE}
        assert (RationaleAuthor.LIBRARY in authors) == (entry.author is RationaleAuthor.LIBRARY)


def test_saving_and_loading_loses_nothing(library: RationaleLibrary, tmp_path: Path) -> None:
    library.save(tmp_path / "library.json")
    assert RationaleLibrary.load(tmp_path / "library.json") == library


def test_a_library_that_is_no_library_is_named(tmp_path: Path) -> None:
    (tmp_path / "library.json").write_text("{}")
    with pytest.raises(LibraryError, match=r"library\.json"):
        RationaleLibrary.load(tmp_path / "library.json")


def test_a_state_that_no_entry_covers_is_refused() -> None:
    library = RationaleLibrary(knowledge_entries(load_knowledge()))
    with pytest.raises(LibraryError, match="No Finding"):
        library.entry(C.NO_FINDING, S.UNCERTAIN)
