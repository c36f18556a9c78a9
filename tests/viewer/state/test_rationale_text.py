"""Offsets of a rationale and positions on screen, each found from the other."""

from hypothesis import given
from hypothesis import strategies as st

from kdistill_core.conditions import Condition
from kdistill_core.records import (
    Comparison,
    Match,
    Rationale,
    RationaleAuthor,
    Sentence,
    Span,
    Verdict,
)
from kdistill_viewer.state.rationale_text import (
    ParagraphText,
    sentence_target,
    streamed_lines,
    student_side,
    teacher_side,
    teacher_target,
)


def rationale(text, spans):
    return Rationale(text, RationaleAuthor.STUDENT, tuple(Sentence(Span(*span)) for span in spans))


def test_each_sentence_stands_on_its_own_line():
    text = ParagraphText(rationale("One two. Three\nfour.  Five.", [(0, 8), (9, 20), (22, 27)]))
    assert text.display == "One two.\nThree four.\nFive."


def test_text_outside_sentences_is_shown_too():
    text = ParagraphText(rationale("Impression: One.  And so on", [(12, 16)]))
    assert text.display == "Impression:\nOne.\nAnd so on"
    assert [paragraph.sentence for paragraph in text.paragraphs] == [None, 0, None]


def test_a_word_is_found_from_any_of_its_characters():
    text = ParagraphText(rationale("The left-sided effusion isn't small.", [(0, 36)]))
    assert text.word_at(4) == text.word_at(13) == Span(4, 14)
    assert text.word_at(24) == Span(24, 29)
    assert text.word_at(14) is None
    assert text.word_at(35) is None


def test_a_span_over_two_sentences_is_marked_in_both():
    text = ParagraphText(rationale("One two. Three.", [(0, 8), (9, 15)]))
    assert text.positions(Span(4, 14)) == (Span(4, 8), Span(9, 14))


words = st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=6), min_size=1)


@given(st.lists(words, min_size=1, max_size=4), st.integers(0, 3))
def test_position_and_offset_are_each_others_inverse(sentences, gap):
    pieces, spans, start = [], [], 0
    for sentence in sentences:
        piece = " ".join(sentence)
        spans.append((start, start + len(piece)))
        pieces.append(piece)
        start += len(piece) + gap
    text = ParagraphText(rationale((" " * gap).join(pieces), spans))
    for first, last in spans:
        for offset in range(first, last):
            (piece,) = text.positions(Span(offset, offset + 1))
            assert text.offset(piece.start) == offset
    # Qt counts in UTF-16: on screen every character has to count as one, or the spans would drift.
    assert len(text.display.encode("utf-16-le")) == 2 * len(text.display)


def test_a_sentence_in_several_matches_shows_the_gravest():
    comparison = Comparison(
        (
            Match(Verdict.AGREED, Condition.EDEMA, 0, 1),
            Match(Verdict.CONTRADICTED, Condition.EDEMA, 0, 2),
            Match(Verdict.ONLY_TEACHER, Condition.FRACTURE, None, 3),
        )
    )
    student, teacher = student_side(comparison), teacher_side(comparison)
    assert student.verdicts == {0: Verdict.CONTRADICTED}
    assert student.matched == {0: (1, 2)}
    assert teacher.verdicts == {1: Verdict.AGREED, 2: Verdict.CONTRADICTED, 3: Verdict.ONLY_TEACHER}
    assert teacher.matched == {1: (0,), 2: (0,)}


def test_a_teachers_sentence_stands_for_its_condition(explanation):
    assert teacher_target(explanation.teacher, 2).condition is Condition.CARDIOMEGALY
    target = sentence_target(explanation.student, 2)
    assert explanation.student.text[target.span.start : target.span.end] == "The heart is enlarged."


def test_a_text_still_being_written_breaks_after_each_sentence():
    assert streamed_lines("There is 1.5 cm. The heart is") == "There is 1.5 cm.\nThe heart is"
