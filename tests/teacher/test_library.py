"""The rationale library: what it finds and composes, and that the bundled one is what the gate let through."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.labeling import label_report
from kdistill_core.records import Finding, RationaleAuthor, Review, ReviewStatus, SentenceRole, Severity, Side
from kdistill_core.teacher.errors import LibraryError
from kdistill_core.teacher.gate import judge_draft
from kdistill_core.teacher.grounding import GateVerdict
from kdistill_core.teacher.knowledge import load_knowledge
from kdistill_core.teacher.library import RationaleLibrary
from kdistill_core.teacher.library_making import knowledge_entries
from kdistill_core.teacher.review import Decision, decide
from tests.teacher import library_examples as example

C, S = Condition, State
SMALL, LARGE = Severity.SMALL, Severity.LARGE


@pytest.fixture(scope="module")
def bundled() -> RationaleLibrary:
    return RationaleLibrary.load()


@pytest.fixture(scope="module")
def known() -> RationaleLibrary:
    """The library that the knowledge base fills by itself."""
    knowledge = load_knowledge()
    return RationaleLibrary(knowledge_entries(knowledge), knowledge.sha256)


def test_spans_cut_the_text_into_its_sentences(bundled: RationaleLibrary) -> None:
    rationale = bundled.compose(
        [Finding(C.PLEURAL_EFFUSION, S.POSITIVE, side=Side.LEFT), Finding(C.CARDIOMEGALY, S.POSITIVE)]
    )
    texts = [rationale.text[s.span.start : s.span.end] for s in rationale.sentences]
    assert " ".join(texts) == rationale.text
    assert texts[0] == "There is cardiomegaly."
    assert "There is a left pleural effusion." in texts
    assert {s.condition for s in rationale.sentences} == {C.CARDIOMEGALY, C.PLEURAL_EFFUSION}


def test_nothing_found_is_said_of_a_case_without_findings(bundled: RationaleLibrary) -> None:
    assert bundled.compose([]).sentences[0].condition is C.NO_FINDING
    devices = bundled.compose([Finding(C.SUPPORT_DEVICES, S.POSITIVE)])
    assert {s.condition for s in devices.sentences} == {C.SUPPORT_DEVICES, C.NO_FINDING}


def test_roles_choose_the_sentences(known: RationaleLibrary) -> None:
    rationale = known.compose([Finding(C.EDEMA, S.POSITIVE)], roles=[SentenceRole.ASSERTION])
    assert rationale.text == "There is pulmonary edema."
    assert rationale.author is RationaleAuthor.KNOWLEDGE


def test_variants_take_turns(bundled: RationaleLibrary) -> None:
    count = len(bundled.variants(C.EDEMA, S.POSITIVE, None, SMALL))
    edema = [Finding(C.EDEMA, S.POSITIVE, severity=SMALL)]
    texts = [bundled.compose(edema, variant=v).text for v in range(count + 1)]
    assert len(set(texts)) == count >= 2
    assert texts[0] == texts[count]


@pytest.mark.parametrize(
    ("side", "severity", "sign", "opening"),
    [
        (Side.LEFT, SMALL, "exact", "There is a small left pleural effusion."),
        (None, SMALL, "small", "There is a small pleural effusion."),
        (Side.LEFT, None, "left", "There is a left pleural effusion."),
        (None, None, "neither", "There is a pleural effusion."),
        # Nothing was written of a large one: its side is said, its severity is not.
        (Side.LEFT, LARGE, "left", "There is a left pleural effusion."),
        (None, LARGE, "neither", "There is a pleural effusion."),
        # No sentence asserts the right side, so that only the severity can be said.
        (Side.RIGHT, SMALL, "small", "There is a small pleural effusion."),
    ],
)
def test_the_nearest_entry_is_used_and_says_what_it_can(
    side: Side | None, severity: Severity | None, sign: str, opening: str
) -> None:
    library = example.library(
        example.entry("neither"),
        example.entry("left", Side.LEFT),
        example.entry("small", severity=SMALL),
        example.entry("exact", Side.LEFT, SMALL),
    )
    chosen = library.entry(example.EFFUSION, S.POSITIVE, 0, side, severity)
    assert (example.sign_of(chosen), chosen.sentences[0].text) == (sign, opening)


def test_signs_of_the_same_severity_go_before_those_of_the_same_side() -> None:
    library = example.library(example.entry("left", Side.LEFT), example.entry("small", severity=SMALL))
    chosen = library.entry(example.EFFUSION, S.POSITIVE, 0, Side.LEFT, SMALL)
    assert example.sign_of(chosen) == "small"
    assert chosen.sentences[0].text == "There is a small left pleural effusion."
    assert chosen.sentences[0].author is RationaleAuthor.KNOWLEDGE


def test_a_language_model_s_text_goes_before_the_knowledge_base_s() -> None:
    own = example.entry("own", author=RationaleAuthor.KNOWLEDGE)
    library = example.library(own, example.entry("written", variant=1))
    assert [example.sign_of(e) for e in library.variants(example.EFFUSION, S.POSITIVE)] == ["written"]


def test_a_reviewed_entry_comes_first_and_a_rejected_one_never() -> None:
    first, second, third = (example.entry(sign, variant=n) for n, sign in enumerate(("first", "second", "third")))
    reviews = (decide(third, Decision.ACCEPT, "A. Name"), decide(first, Decision.REJECT, "A. Name", comment="wrong"))
    library = replace(example.library(first, second, third), reviews=reviews)
    assert [example.sign_of(e) for e in library.variants(example.EFFUSION, S.POSITIVE)] == ["third", "second"]
    said = {library.compose([Finding(example.EFFUSION, S.POSITIVE)], variant=v).text for v in range(6)}
    assert not any("first" in text for text in said)


def test_an_accepted_entry_of_the_knowledge_base_goes_before_an_unread_one_of_a_model() -> None:
    own = example.entry("own", author=RationaleAuthor.KNOWLEDGE, variant=1)
    library = example.library(example.entry("written"), own)
    library = replace(library, reviews=(decide(own, Decision.ACCEPT, "A. Name"),))
    assert example.sign_of(library.entry(example.EFFUSION, S.POSITIVE)) == "own"


def test_where_every_entry_was_rejected_the_assertion_stands_alone() -> None:
    only = example.entry("wrong", Side.LEFT)
    library = replace(example.library(only), reviews=(decide(only, Decision.REJECT, "A. Name", comment="wrong"),))
    rationale = library.compose([Finding(example.EFFUSION, S.POSITIVE, side=Side.LEFT)])
    assert rationale.text == "There is a left pleural effusion."
    assert rationale.author is RationaleAuthor.KNOWLEDGE


def test_a_composed_rationale_says_of_each_sentence_where_it_stands_with_clinicians() -> None:
    read, unread = example.entry("read"), replace(example.entry("unread"), condition=C.EDEMA)
    library = replace(example.library(read, unread), reviews=(decide(read, Decision.ACCEPT, "A. Name"),))
    rationale = library.compose([Finding(C.EDEMA, S.POSITIVE), Finding(example.EFFUSION, S.POSITIVE)])
    status = {s.condition: s.review for s in rationale.sentences}
    accepted = status[example.EFFUSION]
    assert accepted is not None
    assert (accepted.status, accepted.reviewer) == (ReviewStatus.ACCEPTED, "A. Name")
    assert status[C.EDEMA] == Review()


@pytest.mark.parametrize("side", [None, *Side])
def test_every_composed_rationale_reads_as_its_findings(bundled: RationaleLibrary, side: Side | None) -> None:
    for entry in bundled.entries:
        if entry.side not in (None, side):
            continue
        rationale = bundled.compose(
            [Finding(entry.condition, entry.state, side=side, severity=entry.severity)],
            variant=entry.variant,
            states=[entry.state],
        )
        said = {f.condition: f.state for f in label_report(rationale.text) if f.state is not S.BLANK}
        if entry.condition is not C.NO_FINDING:
            said.pop(C.NO_FINDING, None)
        assert said == {entry.condition: entry.state}


def test_the_rationale_of_all_findings_together_reads_as_all_of_them(bundled: RationaleLibrary) -> None:
    findings = [Finding(c, S.POSITIVE, side=Side.LEFT) for c in CONDITIONS if c is not C.NO_FINDING]
    for variant in range(4):
        read = label_report(bundled.compose(findings, variant=variant).text)
        assert {f.condition for f in read if f.state is S.POSITIVE} == {f.condition for f in findings}


def test_the_bundled_library_passes_the_gate_as_it_is_now(bundled: RationaleLibrary) -> None:
    knowledge = load_knowledge()
    for entry in bundled.entries:
        assert not judge_draft(entry.lines, entry.context, knowledge).reason, entry.title


def test_the_bundled_library_was_made_from_the_bundled_knowledge(bundled: RationaleLibrary) -> None:
    knowledge = load_knowledge()
    assert bundled.knowledge_sha256 == knowledge.sha256
    statements = {text for item in knowledge.entries.values() for text in item.statements()}
    openings = {text for states in bundled.assertions.values() for said in states.values() for text in said.values()}
    for entry in bundled.entries:
        for sentence in entry.sentences:
            assert (sentence.statement or sentence.text) in statements | openings


def test_text_of_the_language_model_names_model_weights_prompt_and_seed(bundled: RationaleLibrary) -> None:
    written = [entry for entry in bundled.entries if entry.author is RationaleAuthor.LIBRARY]
    assert written
    for entry in written:
        assert entry.provenance.model_name
        assert len(entry.provenance.weights_sha256) == 64
        assert entry.provenance.prompt in bundled.prompts
        assert entry.provenance.seed is not None
        assert entry.verdicts
        assert all(verdict.passed for verdict in entry.verdicts)


def test_a_sentence_of_the_knowledge_base_never_passes_for_the_language_model(bundled: RationaleLibrary) -> None:
    for entry in bundled.entries:
        authors = {sentence.author for sentence in entry.sentences}
        assert authors <= {RationaleAuthor.LIBRARY, RationaleAuthor.KNOWLEDGE}
        assert (RationaleAuthor.LIBRARY in authors) == (entry.author is RationaleAuthor.LIBRARY)


def test_saving_and_loading_loses_nothing(tmp_path: Path) -> None:
    refused = (GateVerdict("parts", passed=True), GateVerdict("length", passed=False, reason="it is long"))
    written = replace(example.with_provenance(example.entry("a", Side.LEFT, SMALL)), verdicts=refused)
    mixed = replace(written, variant=1, sentences=(replace(written.sentences[0], author=RationaleAuthor.KNOWLEDGE),
                    replace(written.sentences[1], statement="It shows as b.")))  # fmt: skip
    library = replace(example.library(written, mixed), prompts={"p": "Explain."}, knowledge_sha256="0" * 64)
    library.save(tmp_path / "library.json")
    assert RationaleLibrary.load(tmp_path / "library.json") == library


def test_saving_keeps_the_library_s_own_text_where_reviewers_edited_it(tmp_path: Path) -> None:
    own = example.entry("before")
    edit = decide(own, Decision.EDIT, "A. Name", after=own.lines.replace("before", "after"))
    library = replace(example.library(own), reviews=(edit,))
    assert example.sign_of(library.entry(example.EFFUSION, S.POSITIVE)) == "after"
    library.save(tmp_path / "library.json")
    assert RationaleLibrary.load(tmp_path / "library.json").entries == (own,)


def test_the_bundled_library_stays_small() -> None:
    from kdistill_core.resources import resource

    assert resource("rationales/library.json").stat().st_size < 2_000_000


@pytest.mark.parametrize("content", ["{}", "[", '{"entries": [], "knowledge_sha256": "", "prompts": {}}'])
def test_a_library_that_is_no_library_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "library.json").write_text(content)
    with pytest.raises(LibraryError, match=r"library\.json"):
        RationaleLibrary.load(tmp_path / "library.json")


def test_a_library_that_names_checks_it_does_not_list_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "library.json"
    passed = replace(example.entry("a"), verdicts=(GateVerdict("parts", passed=True),))
    example.library(passed).save(path)
    path.write_text(path.read_text().replace('"checks": "1"', '"checks": "7"'))
    with pytest.raises(LibraryError, match="7"):
        RationaleLibrary.load(path)


def test_a_state_that_no_entry_covers_is_refused(known: RationaleLibrary) -> None:
    with pytest.raises(LibraryError, match="No Finding"):
        known.entry(C.NO_FINDING, S.UNCERTAIN)
