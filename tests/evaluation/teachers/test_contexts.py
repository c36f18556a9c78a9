from __future__ import annotations

from collections import Counter

import pytest

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.teachers.contexts import evaluation_contexts
from kdistill_core.records import Severity


@pytest.fixture(scope="module")
def contexts(knowledge):
    return evaluation_contexts(400, 0, knowledge)


def test_all_are_different_and_the_same_for_the_same_seed(contexts, knowledge):
    assert len({context.sha256 for context in contexts}) == 400
    assert evaluation_contexts(400, 0, knowledge) == contexts != evaluation_contexts(400, 1, knowledge)


def test_fewer_contexts_are_the_beginning_of_more(contexts, knowledge):
    assert evaluation_contexts(50, 0, knowledge) == contexts[:50]


def test_every_condition_and_state_takes_its_turn(contexts):
    conditions = Counter(context.condition for context in contexts)
    assert conditions.pop(Condition.NO_FINDING) == 1
    assert set(conditions) == set(CONDITIONS) - {Condition.NO_FINDING}
    assert max(conditions.values()) - min(conditions.values()) <= 1
    for condition in conditions:
        states = Counter(context.state for context in contexts if context.condition is condition)
        assert max(states.values()) - min(states.values()) <= 1
        assert set(states) == {State.POSITIVE, State.NEGATIVE, State.UNCERTAIN}


def test_side_and_severity_stand_only_where_the_condition_has_words_for_them(contexts, knowledge):
    for context in contexts:
        known = knowledge[context.condition]
        assert context.side in known.sides(context.state)
        assert context.severity is None or (known.severities and context.state is not State.NEGATIVE)
        assert context.condition not in context.present
        assert Condition.NO_FINDING not in context.present


def test_every_side_and_severity_of_a_positive_finding_comes(contexts):
    positive = [c for c in contexts if c.condition is Condition.PLEURAL_EFFUSION and c.state is State.POSITIVE]
    assert {context.severity for context in positive} >= set(Severity)
    assert len({context.side for context in positive}) == 4


def test_more_than_there_are_is_refused_with_their_number(knowledge, monkeypatch):
    monkeypatch.setattr("kdistill_core.evaluation.teachers.contexts._present", lambda *_: ())
    with pytest.raises(EvaluationError, match="no 1000 different") as refused:
        evaluation_contexts(1000, 0, knowledge)
    least = int(refused.value.advice.split()[-1].rstrip("."))
    assert len(evaluation_contexts(least, 0, knowledge)) == least
