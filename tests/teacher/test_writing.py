"""What is asked of the language model and what becomes of its answers, with a scripted model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from kdistill_core.conditions import Condition, State
from kdistill_core.records import Finding, RationaleAuthor, SentenceRole, Side
from kdistill_core.teacher.errors import KnowledgeError
from kdistill_core.teacher.knowledge import KnowledgeBase, load_knowledge
from kdistill_core.teacher.library import RationaleLibrary
from kdistill_core.teacher.rationale import LiveSettings, library_rationale, write_case_rationale
from kdistill_core.teacher.writing import (
    Candidate,
    Statement,
    load_prompt,
    messages_for,
    opening_of,
    statements_of,
    write_statements,
)


class ScriptedModel:
    """Answers the first try with nonsense and every later one with the statement itself."""

    name = "scripted"
    sha256 = "0" * 64

    def __init__(self, *, learns: bool = True) -> None:
        self.model = SimpleNamespace(device="cpu", dtype="torch.float32")
        self.learns = learns
        self.asked: list[tuple[int, int]] = []

    def prompt(self, messages: Sequence, opening: str = "") -> str:
        return f"{messages[-1].content}|{opening}"

    def write_sentences(self, prompts, *, sampling, seed, max_tokens=48, on_text=None, canceled=None):
        self.asked.append((seed, len(prompts)))
        first_try = sampling.temperature == 0
        answers = []
        for prompt in prompts:
            statement, opening = prompt.split("|")
            answers.append("it rains." if first_try or not self.learns else _rest(statement, opening))
        if on_text is not None:
            on_text(answers[0])
        return answers


def _rest(statement: str, opening: str) -> str:
    """Continue the opening to the rewording that the prompt's examples show."""
    if ", so " in statement:
        cause = statement.rsplit(", so ", 1)[0]
        already = len(opening.rsplit(", because ", 1)[1])
        return f"{cause[already:].strip()}."
    if opening.startswith("What would"):
        verb = "would weaken the argument" if "weaken" in opening else "would speak against it"
        subject = statement.replace(f" {verb}", "")
        return subject.split(" ", 1)[1]
    return statement.split(" is ", 1)[1] if " is " in opening + " " and "sign" not in opening else _sign(statement)


def _sign(statement: str) -> str:
    return statement.removeprefix("On a supine film, ").split(" ", 3)[3]


@pytest.fixture(scope="module")
def knowledge() -> KnowledgeBase:
    return load_knowledge()


@pytest.fixture(scope="module")
def one(knowledge: KnowledgeBase) -> KnowledgeBase:
    kept = {Condition.FRACTURE: knowledge[Condition.FRACTURE]}
    return KnowledgeBase(kept, knowledge.references, knowledge.sha256)


def test_what_fails_is_asked_again_and_what_passes_is_not(one: KnowledgeBase) -> None:
    model = ScriptedModel()
    candidates = write_statements(model, load_prompt(), one, seed=7, attempts=3)
    accepted = {candidate.statement for candidate in candidates if candidate.accepted}
    assert accepted == set(statements_of(one[Condition.FRACTURE]))
    assert {candidate.attempt for candidate in candidates} == {0, 1}
    assert {seed for seed, _ in model.asked} == {7, 8}


def test_every_refusal_has_a_reason(one: KnowledgeBase) -> None:
    refused = [c for c in write_statements(ScriptedModel(), load_prompt(), one, seed=0, attempts=1) if not c.accepted]
    assert len(refused) == len(statements_of(one[Condition.FRACTURE]))
    assert all(any(verdict.reason for verdict in candidate.verdicts) for candidate in refused)


def test_an_interrupted_run_goes_on_where_it_stood(one: KnowledgeBase) -> None:
    whole = write_statements(ScriptedModel(), load_prompt(), one, seed=0, attempts=2)
    batches: list[Sequence[Candidate]] = []
    write_statements(
        ScriptedModel(), load_prompt(), one, seed=0, attempts=2, on_candidates=lambda batch, _: batches.append(batch)
    )
    model = ScriptedModel()
    resumed = write_statements(model, load_prompt(), one, seed=0, attempts=2, earlier=[*batches[0], *batches[1]])
    assert set(resumed) == set(whole)
    assert len(model.asked) == len(batches) - 2


def test_an_argument_opens_with_what_it_concludes() -> None:
    statement = Statement(
        Condition.SUPPORT_DEVICES,
        SentenceRole.ARGUMENT,
        "Metal is far denser than bone, so a metallic box argues for a device.",
    )
    assert opening_of(load_prompt(), statement) == "A metallic box argues for a device, because metal"


def test_examples_with_a_reason_are_shown_only_to_statements_with_one() -> None:
    plain = Statement(Condition.EDEMA, SentenceRole.AGAINST, "Sharp vessels would speak against it.")
    reasoned = Statement(Condition.EDEMA, SentenceRole.AGAINST, "Sharp vessels would speak against it, because so.")
    prompt = load_prompt()
    assert not any(" because " in message.content for message in messages_for(prompt, plain))
    assert all(" because " in message.content for message in messages_for(prompt, reasoned)[1:])


def test_no_example_of_the_prompt_is_about_one_of_the_conditions(knowledge: KnowledgeBase) -> None:
    statements = {text for item in knowledge.entries.values() for text in item.statements()}
    for part in load_prompt().parts.values():
        assert statements.isdisjoint(text for example in part.examples for text in example)


def test_a_malformed_prompt_is_named(tmp_path: Path) -> None:
    (tmp_path / "prompt.yaml").write_text("name: 3\n")
    with pytest.raises(KnowledgeError, match=r"prompt\.yaml"):
        load_prompt(tmp_path / "prompt.yaml")


FINDINGS = (
    Finding(Condition.FRACTURE, State.POSITIVE, side=Side.LEFT),
    Finding(Condition.PNEUMONIA, State.UNCERTAIN),
)


def test_a_case_is_written_live_and_says_so(knowledge: KnowledgeBase) -> None:
    seen: list[str] = []
    rationale = write_case_rationale(
        ScriptedModel(), load_prompt(), knowledge, FINDINGS, settings=LiveSettings(seed=5), on_text=seen.append
    )
    assert rationale.author is RationaleAuthor.TEACHER
    assert (rationale.provenance.model_name, rationale.provenance.seed) == ("scripted", 5)
    assert "There is a fracture on the left." in rationale.text
    assert "There may be pneumonia." in rationale.text
    assert seen


def test_a_live_sentence_that_never_passes_is_the_knowledge_bases_own(knowledge: KnowledgeBase) -> None:
    rationale = write_case_rationale(ScriptedModel(learns=False), load_prompt(), knowledge, FINDINGS)
    assert rationale.author is RationaleAuthor.KNOWLEDGE
    assert {sentence.author for sentence in rationale.sentences} == {RationaleAuthor.KNOWLEDGE}
    assert "it rains" not in rationale.text


def test_the_library_answers_without_a_model() -> None:
    library = RationaleLibrary.load()
    assert library_rationale(library, FINDINGS, variant=1) == library.compose(FINDINGS, variant=1)
