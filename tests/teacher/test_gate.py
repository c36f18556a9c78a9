"""The gate on whole rationales: a right one passes, and each kind of fault is turned away for what it is."""

from __future__ import annotations

import pytest

from kdistill_core.conditions import Condition, State
from kdistill_core.records import Severity, Side
from kdistill_core.teacher.context import RationaleContext
from kdistill_core.teacher.gate import Judged, judge_draft, judge_rationale, reading_ease
from kdistill_core.teacher.knowledge import KnowledgeBase, load_knowledge

EFFUSION = RationaleContext(Condition.PLEURAL_EFFUSION, State.POSITIVE, Side.LEFT, Severity.SMALL)
LINES = (
    "Finding: There is a small left pleural effusion.",
    "Definition: A pleural effusion is fluid in the pleural space, between the lung and the chest wall.",
    "Sign: It shows as a costophrenic angle that is blunted.",
    "Argument: A blunted angle argues for fluid, because fluid collects first in the lowest part of the pleural space.",
    "Against: Sharp costophrenic angles on an upright film would speak against an effusion.",
    "Settled by: Ultrasound shows the fluid directly, and a lateral decubitus film shows whether it moves.",
)


@pytest.fixture(scope="module")
def knowledge() -> KnowledgeBase:
    return load_knowledge()


def _judged(knowledge: KnowledgeBase, lines: tuple[str, ...], context: RationaleContext = EFFUSION) -> Judged:
    return judge_draft("\n".join(lines), context, knowledge)


def _with(line: str) -> tuple[str, ...]:
    label = line.split(":")[0]
    return tuple(line if given.startswith(f"{label}:") else given for given in LINES)


def test_a_right_rationale_passes_and_names_its_statements(knowledge: KnowledgeBase) -> None:
    judged = _judged(knowledge, LINES)
    assert judged.accepted, judged.reason
    effusion = knowledge[Condition.PLEURAL_EFFUSION]
    assert judged.statements[2:4] == (effusion.signs[0].text, effusion.signs[0].argument)
    assert judged.text.startswith("There is a small left pleural effusion. A pleural effusion is fluid")


@pytest.mark.parametrize(
    ("check", "lines"),
    [
        ("parts", LINES[:-1]),
        ("parts", (*LINES[:2], LINES[3], LINES[2], *LINES[4:])),
        ("parts", (*LINES, "I hope this helps.")),
        ("form", _with("Sign: It shows as a costophrenic angle that is")),
        ("form", _with("Sign: It shows as a blunted angle. It shows as fluid.")),
        ("repetition", _with("Against: It shows as a costophrenic angle that is blunted.")),
        ("repetition", _with("Against: A sharp angle on a film or a sharp angle on a film would speak against it.")),
        ("invention", _with("Sign: It shows as a costophrenic angle that is blunted by 3 cm.")),
        ("invention", _with("Against: Sharp angles on the prior study would speak against an effusion.")),
        ("labeler", _with("Finding: There is no left pleural effusion.")),
        ("labeler", _with("Settled by: There is a right pneumothorax.")),
        ("assertion", _with("Finding: There is a small right pleural effusion.")),
        ("assertion", _with("Finding: There is a large left pleural effusion.")),
        ("assertion", _with("Finding: There is a small pleural effusion.")),
        ("grounding of the definition", _with("Definition: A pleural effusion is air in the pleural space.")),
        ("grounding of the sign", _with("Sign: It shows as a dark zone without lung vessels.")),
        (
            "grounding of the settles",
            _with("Settled by: Echocardiography shows the fluid directly, and a lateral decubitus film moves it."),
        ),
    ],
)  # fmt: skip
def test_a_fault_is_turned_away_for_what_it_is(knowledge: KnowledgeBase, check: str, lines: tuple[str, ...]) -> None:
    judged = _judged(knowledge, lines)
    assert check in {verdict.check for verdict in judged.verdicts if not verdict.passed}
    assert not judged.accepted


def test_the_argument_has_to_be_that_of_the_sign_beside_it(knowledge: KnowledgeBase) -> None:
    large = RationaleContext(Condition.PLEURAL_EFFUSION, State.POSITIVE, Side.LEFT, Severity.LARGE)
    edge, outline = knowledge[Condition.PLEURAL_EFFUSION].fitting(large.state, large.severity, large.side).signs[:2]
    said = (
        "Finding: There is a large left pleural effusion.",
        LINES[1],
        f"Sign: {edge.text}",
        f"Argument: {outline.argument}",
        *LINES[4:],
    )
    failed = [verdict.check for verdict in _judged(knowledge, said, large).verdicts if not verdict.passed]
    assert failed == ["coherence"]


def test_a_sign_of_another_severity_is_not_grounded(knowledge: KnowledgeBase) -> None:
    large = RationaleContext(Condition.PLEURAL_EFFUSION, State.POSITIVE, Side.LEFT, Severity.LARGE)
    judged = _judged(knowledge, _with("Finding: There is a large left pleural effusion."), large)
    assert judged.reason.startswith("grounding of the sign")


def test_what_the_report_said_may_be_said_again(knowledge: KnowledgeBase) -> None:
    told = RationaleContext(
        Condition.PLEURAL_EFFUSION, State.POSITIVE, Side.LEFT, Severity.SMALL, sentence="Small left effusion, 3 cm."
    )
    lines = _with("Sign: It shows as a costophrenic angle that is blunted by 3 cm.")
    failed = {verdict.check for verdict in _judged(knowledge, lines, told).verdicts if not verdict.passed}
    assert "invention" not in failed


def test_nothing_written_is_turned_away(knowledge: KnowledgeBase) -> None:
    assert _judged(knowledge, ()).reason.startswith("parts: it lacks")


def test_without_knowledge_no_grounding_is_asked_for() -> None:
    lines = _with("Sign: It shows as a meniscus at the base of the chest.")
    assert judge_draft("\n".join(lines), EFFUSION, None).accepted


def test_a_denial_needs_what_speaks_against_it_alone(knowledge: KnowledgeBase) -> None:
    context = RationaleContext(Condition.PLEURAL_EFFUSION, State.NEGATIVE)
    lines = ("Finding: There is no pleural effusion.", LINES[4])
    assert _judged(knowledge, lines, context).accepted


def test_reading_ease_follows_flesch() -> None:
    # Six words of one syllable in one sentence: 206.835 - 1.015 * 6 - 84.6 = 116.145.
    assert reading_ease("The cat sat on the mat.") == pytest.approx(116.145)
    assert reading_ease("") == 0.0


def test_the_labeler_reads_exactly_the_condition() -> None:
    assert not judge_rationale("There is no edema.", Condition.EDEMA, State.POSITIVE).passed
    assert judge_rationale("There is no edema.", Condition.EDEMA, State.NEGATIVE).passed
    assert judge_rationale("There is pneumonia. There is a lung opacity.", Condition.PNEUMONIA, State.POSITIVE).passed
