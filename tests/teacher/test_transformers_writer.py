"""Rationales by a language model in this process: their form is kept, and each is the same in any company."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from kdistill_core.conditions import Condition, State
from kdistill_core.records import SentenceRole, Severity, Side
from kdistill_core.teacher.context import RationaleContext
from kdistill_core.teacher.decoding import DrawsByRow
from kdistill_core.teacher.drafts import Request
from kdistill_core.teacher.model import TeacherModel
from kdistill_core.teacher.parts import parts_for, read_parts
from kdistill_core.teacher.prompter import Prompter
from kdistill_core.teacher.prompts import load_prompt
from kdistill_core.teacher.transformers_writer import DecodingSettings, TransformersWriter

CONTEXTS = (
    RationaleContext(Condition.PLEURAL_EFFUSION, State.POSITIVE, Side.LEFT, Severity.SMALL),
    RationaleContext(Condition.EDEMA, State.NEGATIVE),
    RationaleContext(Condition.FRACTURE, State.UNCERTAIN, present=(Condition.PNEUMOTHORAX,)),
)


@pytest.fixture(scope="module")
def model(tiny_folder: Path) -> TeacherModel:
    return TeacherModel.load(tiny_folder)


def _requests(seed: int = 0) -> list[Request]:
    return [Request(context, 0, seed) for context in CONTEXTS]


def test_a_model_of_random_weights_keeps_every_part_and_ends(model: TeacherModel) -> None:
    settings = DecodingSettings(part_tokens=6)
    drafts = list(TransformersWriter(model, load_prompt(), settings).write(_requests()))
    assert {draft.request.context for draft in drafts} == set(CONTEXTS)
    for draft in drafts:
        parts = read_parts(draft.text)
        labeled = tuple(part.role for part in parts if part.role is not SentenceRole.OTHER)
        assert labeled == parts_for(draft.request.context.state)
        # Bytes here: a token a character; undecodable bytes become one sign of replacement each.
        assert all(1 <= len(part.text.encode("utf-8", "ignore")) <= 6 * 3 for part in parts if part.text)


def test_a_draft_does_not_depend_on_its_batch(model: TeacherModel) -> None:
    by_batch = []
    for batch in (1, 3):
        writer = TransformersWriter(model, load_prompt(), DecodingSettings(temperature=1.0, part_tokens=5, batch=batch))
        by_batch.append({draft.request.context: draft.text for draft in writer.write(_requests())})
    assert by_batch[0] == by_batch[1]


def test_another_seed_draws_another_text(model: TeacherModel) -> None:
    writer = TransformersWriter(model, load_prompt(), DecodingSettings(temperature=1.0, part_tokens=5))
    first, again, other = ([draft.text for draft in writer.write(_requests(seed))] for seed in (1, 1, 2))
    assert first == again != other


def test_greedy_decoding_is_what_the_model_alone_would_write(model: TeacherModel) -> None:
    # The first letter behind the forced label, by the model's own forward pass.
    writer = TransformersWriter(model, load_prompt(), DecodingSettings(temperature=0.0, part_tokens=1))
    (draft,) = writer.write(_requests()[1:2])
    prompt = model.prompt(Prompter(load_prompt()).messages(_requests()[1])) + "Finding:"
    tokens = model.tokenizer(prompt, return_tensors="pt", add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        logits = model.model(input_ids=tokens).logits[0, -1].tolist()
    newline = model.tokenizer("\n", add_special_tokens=False)["input_ids"][0]
    best = max(
        (place for place in range(len(logits)) if place not in (newline, model.tokenizer.eos_token_id)),
        key=logits.__getitem__,
    )
    expected = model.tokenizer.decode([best])
    assert draft.text.splitlines()[0].removeprefix("Finding:").strip() == expected.strip()


def test_draws_follow_the_distribution() -> None:
    scores = torch.log(torch.tensor([[0.5, 0.3, 0.2, 0.0]])).repeat(4000, 1)
    drawn = DrawsByRow(range(4000), temperature=1.0, top_k=4)(torch.zeros(4000, 1), scores).argmax(-1)
    shares = torch.bincount(drawn, minlength=4) / 4000
    # Three standard errors of a share of 4,000 are 0.024 at most.
    torch.testing.assert_close(shares, torch.tensor([0.5, 0.3, 0.2, 0.0]), atol=0.024, rtol=0)


def test_only_the_likeliest_are_drawn_from() -> None:
    scores = torch.tensor([[1.0, 0.9, 0.8]]).repeat(300, 1)
    drawn = DrawsByRow(range(300), temperature=5.0, top_k=2)(torch.zeros(300, 1), scores).argmax(-1)
    assert set(drawn.tolist()) == {0, 1}


def test_the_identity_changes_with_what_decides_the_text(model: TeacherModel) -> None:
    one = TransformersWriter(model, load_prompt(), DecodingSettings(temperature=0.7)).identity
    other = TransformersWriter(model, load_prompt(), DecodingSettings(temperature=0.8)).identity
    batch = TransformersWriter(model, load_prompt(), DecodingSettings(temperature=0.7, batch=1)).identity
    assert one != other
    assert one == batch
