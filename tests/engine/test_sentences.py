"""What each sentence of the student's text speaks of, against the tags that the teacher gave the same sentences."""

import pytest

from kdistill_core.conditions import FINDING_CONDITIONS, Condition, State
from kdistill_core.engine.sentences import tag_sentences
from kdistill_core.records import Finding, SentenceRole, Side
from kdistill_core.teacher.library import RationaleLibrary


@pytest.fixture(scope="module")
def library():
    return RationaleLibrary.load()


@pytest.mark.parametrize("condition", FINDING_CONDITIONS)
@pytest.mark.parametrize("other", [Condition.PLEURAL_EFFUSION, Condition.FRACTURE])
def test_a_text_of_the_teacher_s_own_sentences_gets_the_teacher_s_tags(library, condition, other):
    findings = [Finding(c, State.POSITIVE, side=Side.LEFT) for c in {condition, other}]
    rationale = library.compose(findings)
    tagged = tag_sentences(rationale.text, library)
    assert [s.span for s in tagged] == [s.span for s in rationale.sentences]
    assert [(s.condition, s.state) for s in tagged] == [(s.condition, s.state) for s in rationale.sentences]
    assert [s.role for s in tagged] == [s.role for s in rationale.sentences]


@pytest.mark.parametrize(
    ("sentence", "role"),
    [
        ("Look for a rounded spot in the lung.", SentenceRole.SIGN),
        ("It shows as a rounded spot in the lung.", SentenceRole.SIGN),
        ("A rounded spot argues for a tumor, because tumors grow evenly.", SentenceRole.ARGUMENT),
        ("A spot that has not grown would speak against it.", SentenceRole.AGAINST),
    ],
)
def test_a_sentence_of_no_library_gets_the_part_that_its_wording_tells(library, sentence, role):
    assert tag_sentences(sentence, library)[-1].role is role


def test_of_several_statements_in_a_sentence_the_strongest_counts(library):
    (sentence,) = tag_sentences("There is no pneumothorax, but there is a left pleural effusion.", library)
    assert (sentence.condition, sentence.state) == (Condition.PLEURAL_EFFUSION, State.POSITIVE)
    assert sentence.role is SentenceRole.ASSERTION


def test_what_stands_before_any_assertion_belongs_to_no_condition(library):
    first, second = tag_sentences("A word of one's own. There is cardiomegaly.", library)
    assert (first.condition, first.state, first.role) == (None, State.BLANK, SentenceRole.OTHER)
    assert second.condition is Condition.CARDIOMEGALY


def test_a_text_of_nothing_has_no_sentences(library):
    assert tag_sentences("", library) == ()
