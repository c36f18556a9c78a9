"""What a teacher is told of a report: the sentence, the side and the severity that the labeler read from it."""

from __future__ import annotations

import pytest

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.labeling import label_report, report_sections
from kdistill_core.records import Finding, Report, Severity, Side
from kdistill_core.teacher.context import RationaleContext, contexts_of
from kdistill_core.teacher.knowledge import KnowledgeBase, load_knowledge

TEXT = """EXAMINATION: CHEST (PA AND LAT)

INDICATION: 71 year old woman with shortness of breath, evaluate for pneumothorax.

COMPARISON: Chest radiograph of the previous day.

FINDINGS: A right internal jugular catheter ends in the superior vena cava. There is a small left
pleural effusion.  Mild pulmonary edema. No pneumothorax is seen. The heart is moderately enlarged.

IMPRESSION: Opacity at the right base may represent pneumonia.
"""


@pytest.fixture(scope="module")
def knowledge() -> KnowledgeBase:
    return load_knowledge()


@pytest.fixture(scope="module")
def contexts(knowledge: KnowledgeBase) -> dict[Condition, RationaleContext]:
    report = Report(TEXT, report_sections(TEXT))
    found = contexts_of(label_report(TEXT), knowledge, report)
    assert [context.condition for context in found] == [
        condition for condition in CONDITIONS if any(context.condition is condition for context in found)
    ]
    return {context.condition: context for context in found}


def test_a_finding_is_told_with_its_side_severity_and_sentence(
    contexts: dict[Condition, RationaleContext],
) -> None:
    effusion = contexts[Condition.PLEURAL_EFFUSION]
    assert (effusion.state, effusion.side, effusion.severity) == (State.POSITIVE, Side.LEFT, Severity.SMALL)
    # The line break and the double blank of the report are gone.
    assert effusion.sentence == "There is a small left pleural effusion."
    heart = contexts[Condition.CARDIOMEGALY]
    assert (heart.state, heart.side, heart.severity) == (State.POSITIVE, None, Severity.MODERATE)


def test_what_may_be_there_is_uncertain_and_what_is_denied_is_not_explained(
    contexts: dict[Condition, RationaleContext],
) -> None:
    pneumonia = contexts[Condition.PNEUMONIA]
    assert (pneumonia.state, pneumonia.side) == (State.UNCERTAIN, Side.RIGHT)
    assert pneumonia.sentence == "Opacity at the right base may represent pneumonia."
    assert Condition.PNEUMOTHORAX not in contexts


def test_the_other_positive_findings_are_named_but_devices_are_not(
    contexts: dict[Condition, RationaleContext],
) -> None:
    present = contexts[Condition.PLEURAL_EFFUSION].present
    assert {Condition.CARDIOMEGALY, Condition.EDEMA} <= set(present)
    assert not {Condition.PLEURAL_EFFUSION, Condition.PNEUMONIA, Condition.SUPPORT_DEVICES} & set(present)
    assert list(present) == [condition for condition in CONDITIONS if condition in present]
    assert contexts[Condition.SUPPORT_DEVICES].state is State.POSITIVE


def test_the_indication_is_not_told(contexts: dict[Condition, RationaleContext]) -> None:
    assert all("71" not in context.sentence for context in contexts.values())


def test_what_is_denied_is_explained_where_it_is_asked_for(knowledge: KnowledgeBase) -> None:
    findings, report = label_report(TEXT), Report(TEXT)
    (denied,) = contexts_of(findings, knowledge, report, {State.NEGATIVE})
    assert (denied.condition, denied.severity, denied.present) == (Condition.PNEUMOTHORAX, None, ())
    assert denied.sentence == "No pneumothorax is seen."


def test_labels_alone_tell_neither_side_nor_sentence(knowledge: KnowledgeBase) -> None:
    findings = (Finding(Condition.EDEMA, State.POSITIVE), Finding(Condition.FRACTURE, State.POSITIVE))
    assert contexts_of(findings, knowledge) == (
        RationaleContext(Condition.EDEMA, State.POSITIVE, present=(Condition.FRACTURE,)),
        RationaleContext(Condition.FRACTURE, State.POSITIVE, present=(Condition.EDEMA,)),
    )


def test_a_side_and_a_severity_without_words_are_left_out(knowledge: KnowledgeBase) -> None:
    devices = Finding(Condition.SUPPORT_DEVICES, State.POSITIVE, side=Side.RIGHT, severity=Severity.LARGE)
    (context,) = contexts_of([devices], knowledge)
    known = knowledge[Condition.SUPPORT_DEVICES]
    assert (Side.RIGHT in known.sides(State.POSITIVE), context.side is Side.RIGHT) in {(True, True), (False, False)}
    assert (bool(known.severities), context.severity is Severity.LARGE) in {(True, True), (False, False)}


def test_equal_contexts_have_one_address_and_others_another(knowledge: KnowledgeBase) -> None:
    finding = Finding(Condition.EDEMA, State.POSITIVE)
    (first,), (second,) = contexts_of([finding], knowledge), contexts_of([finding], knowledge)
    assert first.sha256 == second.sha256
    assert first.sha256 != RationaleContext(Condition.EDEMA, State.UNCERTAIN).sha256
