"""The part a sentence plays, told by its wording: every statement of the knowledge base knows its part."""

from __future__ import annotations

import pytest

from kdistill_core.conditions import CONDITIONS, Condition
from kdistill_core.records import SentenceRole
from kdistill_core.teacher.knowledge import load_knowledge
from kdistill_core.teacher.roles import role_of

R = SentenceRole


@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_statement_of_the_knowledge_base_tells_its_part(condition: Condition) -> None:
    known = load_knowledge()[condition]
    for role in (R.DEFINITION, R.SIGN, R.ARGUMENT, R.AGAINST, R.SETTLES):
        for text in known.of_role(role):
            assert role_of(text) is role, text


@pytest.mark.parametrize(
    ("sentence", "role"),
    [
        ("Look for a costophrenic angle that is blunted.", R.SIGN),
        ("A sign to look for is a wide shadow above the heart.", R.SIGN),
        ("On a supine film, it shows as a white haze over one side.", R.SIGN),
        ("A blunted angle argues for fluid, because fluid collects there first.", R.ARGUMENT),
        ("What would speak against it is sharp angles on an upright film.", R.AGAINST),
        ("A shallow breath would weaken the argument, because it widens the heart.", R.AGAINST),
        ("A word of one's own.", R.OTHER),
    ],
)
def test_sentences_of_older_libraries_tell_theirs(sentence: str, role: SentenceRole) -> None:
    assert role_of(sentence) is role
