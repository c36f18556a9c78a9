"""What a reader is shown of both texts and how they compare."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kdistill_core.conditions import Condition, State
from kdistill_core.exchange.presentation import (
    METHOD_NAMES,
    author_line,
    by_probability,
    image_line,
    method_line,
    numbered_review_line,
    probability_text,
    review_line,
    said_of,
    student_passages,
    target_line,
    teacher_passages,
)
from kdistill_core.exchange.report_page import render_page
from kdistill_core.exchange.side_by_side import draw
from kdistill_core.records import (
    Comparison,
    Explanation,
    Finding,
    Match,
    RationaleAuthor,
    Review,
    ReviewStatus,
    SaliencyTarget,
    Sentence,
    Spacing,
    SpacingSource,
    Span,
    TargetKind,
    Verdict,
)
from kdistill_core.serialization import from_json, to_json


@pytest.mark.parametrize("side", ["student", "teacher"])
def test_the_passages_hold_every_word_in_its_order(explanation, side):
    passages = {"student": student_passages, "teacher": teacher_passages}[side](explanation)
    words = " ".join(passage.text for passage in passages).split()
    assert words == getattr(explanation, side).text.split()


def test_words_outside_every_sentence_are_kept(explanation):
    text = "Preface. One sentence. And an afterthought"
    student = replace(explanation.student, text=text, sentences=(Sentence(Span(9, 22)),), tokens=())
    passages = student_passages(replace(explanation, student=student, comparison=Comparison()))
    assert [passage.text for passage in passages] == ["Preface.", "One sentence.", "And an afterthought"]
    assert [passage.sentence for passage in passages] == [None, 0, None]


def test_a_text_without_sentences_is_one_passage(explanation):
    student = replace(explanation.student, text="All of it.", sentences=())
    assert [p.text for p in student_passages(replace(explanation, student=student))] == ["All of it."]


def test_each_sentence_bears_its_verdict_and_its_partner(explanation):
    seen = [(p.verdict, p.partners) for p in student_passages(explanation)]
    assert seen == [
        (Verdict.AGREED, (0,)),
        (Verdict.AGREED, (1,)),
        (Verdict.CONTRADICTED, (2,)),
        (Verdict.ONLY_STUDENT, ()),
    ]
    assert [p.verdict for p in teacher_passages(explanation)][3] is Verdict.ONLY_TEACHER


@pytest.mark.parametrize("order", [1, -1])
def test_a_contradiction_is_shown_even_where_another_sentence_agrees(explanation, order):
    matches = (Match(Verdict.AGREED, None, 0, 0), Match(Verdict.CONTRADICTED, None, 0, 2))[::order]
    first = student_passages(replace(explanation, comparison=Comparison(matches)))[0]
    assert first.verdict is Verdict.CONTRADICTED
    assert first.partners == (0, 2)


def test_a_library_text_says_that_it_was_written_earlier(explanation):
    assert author_line(explanation.teacher) == ("From the rationale library, written earlier by SmolLM2-135M-Instruct")


def test_a_sentence_of_another_origin_says_so_and_the_others_do_not(explanation):
    first, *rest = explanation.teacher.sentences
    sentences = (replace(first, author=RationaleAuthor.KNOWLEDGE), replace(rest[0], author=RationaleAuthor.LIBRARY))
    teacher = replace(explanation.teacher, sentences=(*sentences, *rest[1:]))
    passages = teacher_passages(replace(explanation, teacher=teacher))
    assert [passage.origin for passage in passages] == ["from the knowledge base", "", "", ""]
    assert passages[0].about == "Pleural Effusion · both say so · from the knowledge base"


def test_a_knowledge_base_text_claims_no_language_model(explanation):
    line = author_line(replace(explanation.teacher, author=RationaleAuthor.KNOWLEDGE))
    assert "not written by a language model" in line
    assert "SmolLM2" not in line


@pytest.mark.parametrize(
    ("spacing", "said"),
    [
        (Spacing(0.2, 0.1, SpacingSource.CALIBRATED), "0.1 × 0.2 mm a pixel"),
        (Spacing(0.2, 0.1, SpacingSource.DETECTOR), "0.1 × 0.2 mm (detector) a pixel"),
        (Spacing(), "pixel spacing unknown"),
    ],
)
def test_lengths_say_where_they_come_from(explanation, spacing, said):
    assert image_line(replace(explanation.image, spacing=spacing)).endswith(said)


def test_positive_findings_come_first_then_the_likelier():
    findings = (
        Finding(Condition.EDEMA, State.NEGATIVE, 0.6),
        Finding(Condition.FRACTURE, State.POSITIVE, 0.3),
        Finding(Condition.PNEUMONIA, State.POSITIVE, 0.5),
        Finding(Condition.NO_FINDING, State.BLANK),
    )
    assert [finding.condition for finding in by_probability(findings)] == [
        Condition.PNEUMONIA,
        Condition.FRACTURE,
        Condition.EDEMA,
        Condition.NO_FINDING,
    ]


def test_a_word_target_quotes_the_word(explanation):
    target = SaliencyTarget(TargetKind.WORD, span=explanation.student.tokens[4].span)
    assert target_line(target, explanation.student) == "word “pleural”"


def test_a_maps_own_note_replaces_its_peak(maps):
    assert said_of(maps[0]) == "strongest at column 170, row 220"
    empty = replace(maps[0], peak=(-1.0, -1.0), note="Nothing in the image spoke for it.")
    assert said_of(empty) == "Nothing in the image spoke for it."


@pytest.mark.parametrize(
    ("probability", "text"),
    [
        (1.0, "> 0.99"),
        (0.9901, "> 0.99"),
        (0.99, "0.99"),
        (0.5, "0.50"),
        (0.01, "0.01"),
        (0.0099, "< 0.01"),
        (0.0, "< 0.01"),
    ],
)
def test_rounding_makes_nothing_certain(probability, text):
    assert probability_text(probability) == text


def test_every_saliency_method_has_a_name_a_reader_knows(maps):
    from kdistill_core.saliency.registry import METHODS

    assert set(METHOD_NAMES) == {method.name for method in METHODS}
    assert method_line(maps[0]) == "Condition query attention"


READ = Review(ReviewStatus.ACCEPTED, "A. Name", "2026-11-25")
EDITED = Review(ReviewStatus.EDITED, "B. Name", "2026-11-26")


def with_reviews(explanation, *reviews):
    sentences = tuple(replace(s, review=r) for s, r in zip(explanation.teacher.sentences, reviews, strict=True))
    return replace(explanation, teacher=replace(explanation.teacher, sentences=sentences))


@pytest.mark.parametrize(
    ("review", "said"),
    [
        (Review(), "Not reviewed by a clinician"),
        (READ, "Reviewed by A. Name, 2026-11-25"),
        (EDITED, "Reviewed and edited by B. Name, 2026-11-26"),
        # Explanations that were saved before there were reviews.
        (None, "Not reviewed by a clinician"),
    ],
)
def test_one_line_says_where_the_teacher_s_text_stands_with_clinicians(explanation, review, said):
    one = with_reviews(explanation, *[review] * 4)
    assert review_line(one.teacher) == numbered_review_line(one.teacher) == said
    assert not any(passage.review for passage in teacher_passages(one))


def test_where_sentences_differ_each_says_who_reviewed_it(explanation):
    mixed = with_reviews(explanation, None, READ, Review(), READ)
    assert review_line(mixed.teacher) == (
        "2 of 3 sentences reviewed by A. Name, 2026-11-25; 1 of 3 sentences not reviewed by a clinician"
    )
    assert numbered_review_line(mixed.teacher) == (
        "Reviewed by A. Name, 2026-11-25: sentences 2, 4\nNot reviewed by a clinician: sentence 3"
    )
    passages = teacher_passages(mixed)
    assert [passage.review for passage in passages] == [
        "",
        "reviewed by A. Name, 2026-11-25",
        "not reviewed by a clinician",
        "reviewed by A. Name, 2026-11-25",
    ]
    assert passages[1].about.endswith(" · reviewed by A. Name, 2026-11-25")


def test_neighboring_sentences_are_named_as_a_run(explanation):
    mixed = with_reviews(explanation, Review(), READ, READ, READ)
    assert "sentences 2–4" in numbered_review_line(mixed.teacher)


def test_the_student_s_own_words_have_no_review(explanation):
    assert review_line(explanation.student) == numbered_review_line(explanation.student) == ""


def test_exports_name_the_reviewer(explanation, radiograph):
    page = render_page(with_reviews(explanation, *[READ] * 4), radiograph, ())
    assert page.count("Reviewed by A. Name, 2026-11-25") == 1
    assert from_json(to_json(explanation), Explanation) == explanation
    mixed = with_reviews(explanation, READ, EDITED, Review(), None)
    assert from_json(to_json(mixed), Explanation) == mixed


def test_the_picture_grows_by_a_line_for_each_note(explanation, radiograph):
    one = draw(with_reviews(explanation, *[READ] * 4), radiograph, ())
    two = draw(with_reviews(explanation, READ, READ, EDITED, Review()), radiograph, ())
    assert two.shape[0] > one.shape[0]
