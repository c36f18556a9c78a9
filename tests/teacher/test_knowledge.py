"""The knowledge base is complete, cites its literature, and refuses what is not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.labeling import label_report
from kdistill_core.records import Side
from kdistill_core.resources import resource
from kdistill_core.teacher.errors import KnowledgeError
from kdistill_core.teacher.knowledge import KnowledgeBase, load_knowledge


@pytest.fixture(scope="module")
def knowledge() -> KnowledgeBase:
    return load_knowledge()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(resource("knowledge"), tmp_path / "knowledge"))


def test_every_condition_has_several_signs_and_something_against(knowledge: KnowledgeBase) -> None:
    assert tuple(knowledge.entries) == CONDITIONS
    for item in knowledge.entries.values():
        assert len(item.signs) >= 3
        assert len(item.against) >= 2
        assert len(item.mimics) >= 2


def test_every_work_is_cited_somewhere_and_dois_are_well_formed(knowledge: KnowledgeBase) -> None:
    cited = set()
    for item in knowledge.entries.values():
        for statement in (item.definition, *item.signs, *item.against, *item.mimics, *item.settles):
            cited.update(statement.references)
    assert cited == set(knowledge.references)
    for reference in knowledge.references.values():
        assert not reference.doi or reference.doi.startswith("10.")
        assert any(year in reference.citation for year in map(str, range(1900, 2027)))


@pytest.mark.parametrize("condition", [c for c in CONDITIONS if c is not Condition.NO_FINDING])
@pytest.mark.parametrize("state", [State.POSITIVE, State.NEGATIVE, State.UNCERTAIN])
@pytest.mark.parametrize("side", [None, *Side])
def test_an_assertion_says_its_condition_state_and_side_and_nothing_else(
    knowledge: KnowledgeBase, condition: Condition, state: State, side: Side | None
) -> None:
    text = knowledge[condition].assertion(state, side)
    said = {f.condition: f for f in label_report(text) if f.state is not State.BLANK}
    said.pop(Condition.NO_FINDING, None)
    assert {c: f.state for c, f in said.items()} == {condition: state}
    sided = side is not None and side.value in knowledge[condition].assertions[state]
    if sided and state is not State.NEGATIVE:
        assert said[condition].side is side


def test_no_statement_asserts_anything_by_itself(knowledge: KnowledgeBase) -> None:
    for item in knowledge.entries.values():
        body = (item.definition, *item.signs, *item.against)
        texts = [statement.text for statement in body] + [sign.argument for sign in item.signs]
        for text in texts:
            asserted = [f for f in label_report(text) if f.state is not State.BLANK]
            assert all(f.condition is Condition.NO_FINDING for f in asserted), text


def test_a_missing_condition_is_named(folder: Path) -> None:
    (folder / "edema.yaml").unlink()
    with pytest.raises(KnowledgeError, match="Edema"):
        load_knowledge(folder)


def test_a_work_that_is_not_listed_is_named(folder: Path) -> None:
    path = folder / "edema.yaml"
    path.write_text(path.read_text().replace("milne-1985", "nobody-1900"))
    with pytest.raises(KnowledgeError, match="nobody-1900"):
        load_knowledge(folder)


def test_a_malformed_file_is_named(folder: Path) -> None:
    (folder / "edema.yaml").write_text("condition: Edema\nsigns: 3\n")
    with pytest.raises(KnowledgeError, match=r"edema\.yaml"):
        load_knowledge(folder)


def test_an_unknown_side_is_refused(folder: Path) -> None:
    path = folder / "edema.yaml"
    path.write_text(path.read_text().replace("    bilateral:", "    both:"))
    with pytest.raises(KnowledgeError, match="side"):
        load_knowledge(folder)
