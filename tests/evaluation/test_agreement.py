"""Two rationales compared: pairs whose relation a reader knows."""

from __future__ import annotations

import pytest

from kdistill_core.conditions import Condition, State
from kdistill_core.evaluation.agreement import Similarity, compare, word_overlap
from kdistill_core.labeling import split_sentences
from kdistill_core.records import Finding, Match, Rationale, RationaleAuthor, Sentence, Side, Verdict
from kdistill_core.teacher.knowledge import load_knowledge
from kdistill_core.teacher.library import RationaleLibrary
from kdistill_core.teacher.library_making import knowledge_entries

C, V = Condition, Verdict


@pytest.fixture(scope="module")
def library() -> RationaleLibrary:
    knowledge = load_knowledge()
    return RationaleLibrary(knowledge_entries(knowledge), knowledge.sha256)


def written(text: str) -> Rationale:
    return Rationale(text, RationaleAuthor.STUDENT, tuple(Sentence(span) for span in split_sentences(text)))


def verdicts(student: str, teacher: str) -> list[tuple[Verdict, Condition | None]]:
    return [(match.verdict, match.condition) for match in compare(written(student), written(teacher)).matches]


@pytest.mark.parametrize(
    ("student", "teacher", "expected"),
    [
        ("There is a left pleural effusion.", "Left effusion.", [(V.AGREED, C.PLEURAL_EFFUSION)]),
        ("There is a pleural effusion.", "There is no pleural effusion.", [(V.CONTRADICTED, C.PLEURAL_EFFUSION)]),
        ("There is a left pleural effusion.", "There is a right effusion.", [(V.CONTRADICTED, C.PLEURAL_EFFUSION)]),
        ("There may be pneumonia.", "There is pneumonia.", [(V.AGREED, C.PNEUMONIA)]),
        ("There may be pneumonia.", "There is no pneumonia.", [(V.CONTRADICTED, C.PNEUMONIA)]),
        ("No abnormality is seen.", "There is a pneumothorax.", [(V.CONTRADICTED, C.PNEUMOTHORAX)]),
        ("There is a pneumothorax.", "No abnormality is seen.", [(V.CONTRADICTED, C.NO_FINDING)]),
        (
            "There is a fracture.",
            "There is edema.",
            [(V.ONLY_TEACHER, C.EDEMA), (V.ONLY_STUDENT, C.FRACTURE)],
        ),
        (
            "No effusion or pneumothorax.",
            "There is a pneumothorax.",
            [(V.CONTRADICTED, C.PNEUMOTHORAX), (V.ONLY_STUDENT, C.PLEURAL_EFFUSION)],
        ),
    ],
)
def test_assertions_are_compared_by_meaning(
    student: str, teacher: str, expected: list[tuple[Verdict, Condition | None]]
) -> None:
    assert verdicts(student, teacher) == expected


def test_devices_do_not_contradict_a_normal_radiograph() -> None:
    assert V.CONTRADICTED not in {verdict for verdict, _ in verdicts("Right PICC.", "No abnormality is seen.")}


def test_a_rationale_agrees_with_itself(library: RationaleLibrary) -> None:
    findings = [
        Finding(C.EDEMA, State.POSITIVE),
        Finding(C.PLEURAL_EFFUSION, State.POSITIVE, side=Side.BILATERAL),
        Finding(C.PNEUMONIA, State.UNCERTAIN),
    ]
    rationale = library.compose(findings)
    matches = compare(rationale, rationale).matches
    assert {match.verdict for match in matches} == {V.AGREED}
    assert all(match.student_sentence == match.teacher_sentence for match in matches)


def test_every_sentence_has_a_verdict(library: RationaleLibrary) -> None:
    student = library.compose([Finding(C.EDEMA, State.POSITIVE)], variant=1)
    teacher = library.compose([Finding(C.FRACTURE, State.POSITIVE, side=Side.LEFT)])
    matches = compare(student, teacher).matches
    assert {m.student_sentence for m in matches} - {None} == set(range(len(student.sentences)))
    assert {m.teacher_sentence for m in matches} - {None} == set(range(len(teacher.sentences)))


def test_the_same_sign_pleading_the_other_way_is_a_contradiction() -> None:
    student = "There is a pleural effusion. A sharp costophrenic angle argues for fluid."
    teacher = "There is a pleural effusion. A sharp costophrenic angle would speak against fluid."
    assert verdicts(student, teacher) == [(V.AGREED, C.PLEURAL_EFFUSION), (V.CONTRADICTED, C.PLEURAL_EFFUSION)]


@pytest.mark.parametrize(
    ("student", "teacher"),
    [
        ("Look for a costophrenic angle that is blunted.", "It shows as a costophrenic angle that is blunted."),
        ("A sign to look for is white lines at the bases.", "It shows as white lines at the bases."),
    ],
)
def test_a_sign_matches_whichever_way_it_is_introduced(student: str, teacher: str) -> None:
    assert word_overlap(student, teacher) == 1.0


def test_signs_that_share_only_their_introduction_do_not_match() -> None:
    assert word_overlap("It shows as a white area.", "It shows as blurred hila.") == 0.0


def test_explanations_of_different_conditions_are_never_paired() -> None:
    sentence = "Look for a white area at the base."
    student, teacher = f"There is edema. {sentence}", f"There is atelectasis. {sentence}"
    assert {verdict for verdict, _ in verdicts(student, teacher)} == {V.ONLY_STUDENT, V.ONLY_TEACHER}


@pytest.mark.parametrize(("same_meaning", "matched"), [(0.9, True), (0.91, False)])
def test_a_given_similarity_decides_about_explanations_and_is_named(same_meaning: float, matched: bool) -> None:
    student, teacher = "There is edema. Look for lines.", "There is edema. Look for blurred hila."
    similarity = Similarity("a constant", lambda first, second: 0.9, same_meaning)
    comparison = compare(written(student), written(teacher), similarity)
    assert (Match(V.AGREED, C.EDEMA, 1, 1, 0.9) in comparison.matches) is matched
    assert "a constant of explanations within a condition" in comparison.method


def test_word_overlap_is_dice_over_content_words() -> None:
    # {white, area, base} and {white, area, apex}: 2 * 2 / (3 + 3).
    assert word_overlap("a white area at the base", "the white area of an apex") == pytest.approx(2 / 3)
    assert word_overlap("", "a white area") == 0.0
