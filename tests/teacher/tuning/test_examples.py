"""Examples of rationales: grounded, balanced, without a patient, and the same for the same seed."""

from __future__ import annotations

from collections import Counter

import pytest

from kdistill_core.conditions import CONDITIONS, State
from kdistill_core.records import SentenceRole
from kdistill_core.teacher.gate import judge_draft
from kdistill_core.teacher.knowledge import KnowledgeBase, load_knowledge
from kdistill_core.teacher.parts import read_parts
from kdistill_core.teacher.tuning.examples import drawn_rationales


@pytest.fixture(scope="module")
def knowledge() -> KnowledgeBase:
    return load_knowledge()


def test_each_condition_comes_equally_often_and_every_rationale_passes_the_gate(knowledge: KnowledgeBase) -> None:
    drawn = list(drawn_rationales(knowledge, 140, seed=3))
    assert Counter(context.condition for context, _, _ in drawn) == dict.fromkeys(CONDITIONS, 10)
    assert all(judge_draft(text, context, knowledge).accepted for context, _, text in drawn)
    assert {State.POSITIVE, State.NEGATIVE, State.UNCERTAIN} == {context.state for context, _, _ in drawn}
    assert any(context.sentence for context, _, _ in drawn)


def test_the_same_seed_draws_the_same(knowledge: KnowledgeBase) -> None:
    first, again, other = (list(drawn_rationales(knowledge, 15, seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_the_sign_fits_the_severity(knowledge: KnowledgeBase) -> None:
    for context, _, text in drawn_rationales(knowledge, 200, seed=5):
        sign = next((part.text for part in read_parts(text) if part.role is SentenceRole.SIGN), None)
        if sign is not None and context.severity is not None:
            known = next(each for each in knowledge[context.condition].signs if each.text == sign)
            assert not known.severity or context.severity in known.severity
