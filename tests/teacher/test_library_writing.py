"""What a library lacks is written; what stands, also from earlier notes, is not written again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.teacher.knowledge import KnowledgeBase, load_knowledge
from kdistill_core.teacher.library_making import library_contexts
from kdistill_core.teacher.library_writing import write_library_rationales
from tests.teacher.scripted_teacher import IDENTITY, ScriptedWriter


class FromOtherNotes(ScriptedWriter):
    """The same model with notes of another state of the knowledge base."""

    identity = replace(IDENTITY, settings="other")


@pytest.fixture(scope="module")
def knowledge() -> KnowledgeBase:
    """The knowledge base, of each condition its assertions without a side and a degree."""
    known = load_knowledge()
    short = {
        condition: replace(
            known[condition],
            severities={},
            assertions={state: {"none": by_side["none"]} for state, by_side in known[condition].assertions.items()},
        )
        for condition in CONDITIONS
    }
    return KnowledgeBase(short, known.references, known.sha256)


def test_every_finding_is_written_once_a_seed(knowledge: KnowledgeBase, tmp_path: Path) -> None:
    counts = []
    writer = ScriptedWriter(knowledge)
    tally = write_library_rationales(writer, knowledge, tmp_path, range(2), lambda tally, of: counts.append(of))
    assert tally.accepted + tally.refused == 2 * len(library_contexts(knowledge)) == counts[-1]
    again = ScriptedWriter(knowledge)
    assert write_library_rationales(again, knowledge, tmp_path, range(2)).reused == tally.contexts
    assert not again.calls


def test_a_corrected_statement_asks_only_for_what_said_it(knowledge: KnowledgeBase, tmp_path: Path) -> None:
    write_library_rationales(ScriptedWriter(knowledge), knowledge, tmp_path, [0])
    heart = knowledge[Condition.CARDIOMEGALY]
    mended = replace(heart, definition=replace(heart.definition, text="Cardiomegaly is a heart of unusual width."))
    corrected = replace(knowledge, entries={**knowledge.entries, Condition.CARDIOMEGALY: mended})
    writer = FromOtherNotes(corrected)
    tally = write_library_rationales(writer, corrected, tmp_path, [0])
    asked = [request.context for call in writer.calls for request in call if request.attempt == 0]
    told_of_the_heart = [context for context in library_contexts(knowledge) if context.condition is heart.condition]
    assert {context for context in asked if context.condition is heart.condition} == {
        context for context in told_of_the_heart if context.state is not State.NEGATIVE
    }
    assert len(asked) + tally.reused == len(library_contexts(knowledge))
    assert len(asked) < 8  # beside the heart what had been refused at every attempt
