"""From stored rationales to a library: what gets in, in what order, and what the knowledge base adds."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.records import RationaleAuthor, SentenceRole, Severity, Side
from kdistill_core.teacher.context import RationaleContext
from kdistill_core.teacher.errors import LibraryError
from kdistill_core.teacher.gate import judge_draft
from kdistill_core.teacher.knowledge import KnowledgeBase, load_knowledge
from kdistill_core.teacher.library_making import knowledge_entries, library_contexts, make_library
from kdistill_core.teacher.prompts import load_prompt
from kdistill_core.teacher.stored_rationale import StoredRationale
from tests.teacher import library_examples as example

C, S, R = Condition, State, SentenceRole
CONTEXT = RationaleContext(C.PLEURAL_EFFUSION, S.POSITIVE, Side.LEFT, Severity.LARGE)


@pytest.fixture(scope="module")
def knowledge() -> KnowledgeBase:
    return load_knowledge()


@pytest.fixture(scope="module")
def few(knowledge: KnowledgeBase) -> KnowledgeBase:
    """A knowledge base whose other conditions have one sentence to assert, so that a library is made in an instant."""
    short = {
        condition: known
        if condition is C.PLEURAL_EFFUSION
        else replace(
            known,
            signs=known.signs[:1],
            severities={},
            assertions={S.POSITIVE: {"none": known.assertions[S.POSITIVE]["none"]}},
        )
        for condition, known in knowledge.entries.items()
    }
    return KnowledgeBase(short, knowledge.references, knowledge.sha256)


def lines(knowledge: KnowledgeBase, sign: int = -1, context: RationaleContext = CONTEXT) -> str:
    """Return a rationale in the knowledge base's own words, with one of the signs that fit the finding."""
    known = knowledge[context.condition]
    fitting = known.fitting(context.state, context.severity, context.side)
    chosen = fitting.signs[sign]
    said = [
        f"Finding: {known.assertion(context.state, context.side, context.severity)}",
        f"Definition: {known.definition.text}",
        f"Sign: {chosen.text}",
        f"Argument: {chosen.argument}",
        f"Against: {fitting.against[0].text}",
        f"Settled by: {fitting.settles[0].text}",
    ]
    return "\n".join(said)


def making(rationales: list[StoredRationale], knowledge: KnowledgeBase, variants: int = 3):
    return make_library(rationales, knowledge, [load_prompt()], variants)


def test_there_is_a_finding_for_every_side_and_severity_that_can_be_asserted(knowledge: KnowledgeBase) -> None:
    contexts = library_contexts(knowledge)
    assert len(set(contexts)) == len(contexts)
    effusion = Counter(context.state for context in contexts if context.condition is C.PLEURAL_EFFUSION)
    # Four sides (none, left, right, both) by four severities (none and three); a denial has no severity.
    assert effusion == {S.POSITIVE: 16, S.UNCERTAIN: 16, S.NEGATIVE: 4}
    assert [context for context in contexts if context.condition is C.NO_FINDING] == [
        RationaleContext(C.NO_FINDING, S.POSITIVE)
    ]


def test_the_knowledge_base_fills_every_finding_with_what_passes_its_own_gate(knowledge: KnowledgeBase) -> None:
    entries = knowledge_entries(knowledge)
    assert {entry.context for entry in entries} == set(library_contexts(knowledge))
    assert {entry.author for entry in entries} == {RationaleAuthor.KNOWLEDGE}
    some = [entry for entry in entries if entry.side is not Side.RIGHT]  # left and right are alike
    assert {entry.condition for entry in some} == set(CONDITIONS)
    for entry in some:
        assert not judge_draft(entry.lines, entry.context, knowledge).reason, entry.title
        assert entry.references


def test_no_entry_says_what_fits_another_finding(knowledge: KnowledgeBase) -> None:
    entries = [(known, said) for known in knowledge.entries.values() for said in (*known.signs, *known.against)]
    limited = {said.text: said for _, said in entries if said.states or said.severity or said.sides}
    met = set()
    for entry in knowledge_entries(knowledge):
        for sentence in entry.sentences:
            if sentence.text in limited:
                met.add(sentence.text)
                assert limited[sentence.text].fits(entry.state, entry.severity, entry.side)
    assert met == set(limited)


def test_a_written_rationale_replaces_the_knowledge_base_s_and_says_where_it_comes_from(few: KnowledgeBase) -> None:
    made = making([example.stored(CONTEXT, lines(few), seed=7, tries=3)], few)
    (entry,) = made.library.variants(CONTEXT.condition, CONTEXT.state, CONTEXT.side, CONTEXT.severity)
    assert entry.author is RationaleAuthor.LIBRARY
    assert entry.sentences[0].text == "There is a large left pleural effusion."
    assert (entry.provenance.model_name, entry.provenance.seed, entry.attempt) == ("teacher-x", 7, 2)
    assert entry.provenance.weights_sha256 == "5" * 64
    assert entry.provenance.prompt in made.library.prompts
    assert entry.settings == "greedy"
    assert "goodman-2014" in entry.references
    assert len(entry.verdicts) >= 10
    assert all(verdict.passed for verdict in entry.verdicts)
    assert made.written == 1
    assert {e.context for e in made.library.entries} == set(library_contexts(few))


def test_variants_show_different_signs_before_other_words_for_the_same(few: KnowledgeBase) -> None:
    left = replace(CONTEXT, severity=None)
    fitting = few[left.condition].fitting(left.state, left.severity, left.side)
    first, second = (lines(few, sign, left) for sign in (0, 1))
    rationales = [
        example.stored(left, first, seed=0),
        example.stored(left, first.replace(fitting.against[0].text, fitting.against[1].text), seed=1),
        example.stored(left, second, seed=2),
    ]
    made = making(rationales, few, variants=2)
    found = made.library.variants(left.condition, left.state, left.side, left.severity)
    signs = [sentence.text for entry in found for sentence in entry.sentences if sentence.role is R.SIGN]
    assert signs == [fitting.signs[0].text, fitting.signs[1].text]
    assert [entry.variant for entry in found] == [0, 1]
    assert made.spare == 1


def test_what_is_left_out_is_counted(few: KnowledgeBase) -> None:
    good = example.stored(CONTEXT, lines(few))
    again = example.stored(CONTEXT, lines(few), seed=1)
    bad = example.stored(CONTEXT, lines(few).replace("large left", "small right"), seed=2)
    told = example.stored(replace(CONTEXT, sentence="Large left effusion."), lines(few))
    refused = replace(example.stored(CONTEXT, "", seed=3, tries=2), sentences=())
    made = making([good, again, bad, told, refused], few)
    assert (made.written, made.repeated, made.elsewhere) == (1, 1, 1)
    assert made.refused == {"assertion": 1}


def test_the_order_of_the_store_does_not_matter(few: KnowledgeBase) -> None:
    rationales = [example.stored(CONTEXT, lines(few, sign), seed=sign) for sign in (0, 1)]
    assert making(rationales, few).library == making(rationales[::-1], few).library


def test_a_rationale_of_an_unknown_prompt_is_refused(few: KnowledgeBase) -> None:
    with pytest.raises(LibraryError, match="rationale-v3"):
        make_library([example.stored(CONTEXT, lines(few))], few)
