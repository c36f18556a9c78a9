"""The knowledge base is complete, cites its literature, and refuses what is not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.labeling import label_report
from kdistill_core.records import SentenceRole, Severity, Side
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


@pytest.mark.parametrize("state", [State.POSITIVE, State.UNCERTAIN])
@pytest.mark.parametrize("severity", list(Severity))
def test_the_labeler_reads_the_severity_that_an_assertion_was_given(
    knowledge: KnowledgeBase, state: State, severity: Severity
) -> None:
    for condition, item in knowledge.entries.items():
        if not item.severities:
            continue
        for side in item.sides(state):
            text = item.assertion(state, side, severity)
            (said,) = (finding for finding in label_report(text) if finding.condition is condition)
            assert (said.state, said.side, said.severity) == (state, side, severity), text


def test_an_article_fits_the_word_behind_it(knowledge: KnowledgeBase) -> None:
    opacity = knowledge[Condition.LUNG_OPACITY]
    assert opacity.assertion(State.POSITIVE, Side.LEFT) == "There is an opacity in the left lung."
    assert opacity.assertion(State.POSITIVE, Side.LEFT, Severity.SMALL) == "There is a small opacity in the left lung."


def test_a_denial_and_a_condition_without_degrees_have_no_severity(knowledge: KnowledgeBase) -> None:
    effusion, fracture = knowledge[Condition.PLEURAL_EFFUSION], knowledge[Condition.FRACTURE]
    assert effusion.assertion(State.NEGATIVE, None, Severity.LARGE) == "There is no pleural effusion."
    assert fracture.assertion(State.POSITIVE, None, Severity.LARGE) == "There is a fracture."


def test_signs_are_those_that_fit_the_severity(knowledge: KnowledgeBase) -> None:
    effusion = knowledge[Condition.PLEURAL_EFFUSION]
    of_small = effusion.of_role(SentenceRole.SIGN, effusion.fitting(severity=Severity.SMALL))
    assert "It shows as a costophrenic angle that is blunted." in of_small
    assert "It shows as a diaphragm whose outline is hidden by a white area." not in of_small
    assert len(effusion.of_role(SentenceRole.SIGN)) == len(effusion.signs)


def test_signs_are_those_that_fit_the_side(knowledge: KnowledgeBase) -> None:
    devices = knowledge[Condition.SUPPORT_DEVICES]
    midline = "It shows as a tube in the midline that lies within the trachea or the esophagus."
    assert midline in devices.of_role(SentenceRole.SIGN, devices.fitting(State.POSITIVE))
    assert midline not in devices.of_role(SentenceRole.SIGN, devices.fitting(State.POSITIVE, side=Side.LEFT))


def test_a_denial_is_argued_from_what_a_normal_film_shows(knowledge: KnowledgeBase) -> None:
    heart = knowledge[Condition.CARDIOMEGALY]
    assert [statement.text for statement in heart.fitting(State.NEGATIVE).against] == [
        "A heart narrower than half of the chest would speak against cardiomegaly."
    ]
    assert len(heart.fitting(State.POSITIVE).against) == 2


def test_no_counter_argument_leaves_open_what_it_speaks_against(knowledge: KnowledgeBase) -> None:
    """Behind "There is no effusion", "it" may be the absence, which turns the meaning round."""
    for known in knowledge.entries.values():
        assert not any("speak against it" in statement.text for statement in known.against)


def test_a_finding_of_which_nothing_may_be_said_is_refused(folder: Path) -> None:
    file = folder / "cardiomegaly.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(
        text.replace(
            "would speak against cardiomegaly.\n", "would speak against cardiomegaly.\n    states: [positive]\n"
        )
    )
    with pytest.raises(KnowledgeError, match=r"cardiomegaly\.yaml has no against that fit negative, side none"):
        load_knowledge(folder)


def test_severities_that_lack_one_are_refused(folder: Path) -> None:
    file = folder / "edema.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("severities: {small: mild, ", "severities: {"), "utf-8")
    with pytest.raises(KnowledgeError, match=r"edema\.yaml: the severities lack some"):
        load_knowledge(folder)
