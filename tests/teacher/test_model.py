"""The language model behind the teacher: loading, shared prompts, streaming, canceling."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from kdistill_core.errors import Canceled
from kdistill_core.teacher.errors import TeacherModelError
from kdistill_core.teacher.model import Message, Sampling, TeacherModel

PROMPTS = ("the same beginning, then one", "the same beginning, then another thing", "the same beginning")


@pytest.fixture(scope="module")
def model(tiny_folder: Path) -> TeacherModel:
    return TeacherModel.load(tiny_folder)


def test_prompts_written_together_are_written_as_alone(model: TeacherModel) -> None:
    # The shared beginning is computed once and padded behind; transformers alone is the independent judge.
    together = model.write_sentences(PROMPTS, max_tokens=12)
    for prompt, text in zip(PROMPTS, together, strict=True):
        inputs = model.tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
        with torch.inference_mode():
            alone = model.model.generate(**inputs, do_sample=False, max_new_tokens=12, pad_token_id=0)
        expected = model.tokenizer.decode(alone[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        stops = [expected.index(mark) for mark in ".?!\n" if mark in expected]
        assert text == (expected[: min(stops) + 1] if stops else expected).strip()


def test_the_same_seed_writes_the_same(model: TeacherModel) -> None:
    first, second, other = (
        model.write_sentences(PROMPTS, sampling=Sampling(1.0), seed=seed, max_tokens=12) for seed in (3, 3, 4)
    )
    assert first == second != other


def test_text_streams_while_it_grows(model: TeacherModel) -> None:
    seen: list[str] = []
    (text,) = model.write_sentences(PROMPTS[:1], max_tokens=8, on_text=seen.append)
    assert len(seen) > 1
    assert all(later.startswith(earlier.rstrip("\ufffd")) for earlier, later in itertools.pairwise(seen))
    assert seen[-1].strip() == text


def test_canceling_stops_within_a_token(model: TeacherModel) -> None:
    seen: list[str] = []
    with pytest.raises(Canceled):
        model.write_sentences(PROMPTS[:1], max_tokens=50, on_text=seen.append, canceled=lambda: len(seen) >= 2)
    assert len(seen) == 2


def test_the_chat_template_and_the_opening_make_the_prompt(model: TeacherModel) -> None:
    messages = [Message("system", "Be brief."), Message("user", "What is edema?")]
    assert model.prompt(messages, "Edema is") == "<system>Be brief.\n<user>What is edema?\n<assistant>Edema is"


def test_a_base_model_gets_a_plain_dialog(tiny_folder: Path) -> None:
    model = TeacherModel.load(tiny_folder)
    model.tokenizer.chat_template = None
    assert model.prompt([Message("user", "What is edema?")], "Edema is") == "What is edema?\nEdema is"


def test_the_hash_is_that_of_the_weight_file(model: TeacherModel, tiny_folder: Path) -> None:
    assert model.sha256 == hashlib.sha256((tiny_folder / "model.safetensors").read_bytes()).hexdigest()


def test_the_mean_hidden_state_is_the_mean_over_tokens(model: TeacherModel) -> None:
    tokens = model.tokenizer("two words", return_tensors="pt", add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        last = model.model.model(input_ids=tokens).last_hidden_state[0]
    np.testing.assert_allclose(model.mean_hidden_state("two words"), last.mean(dim=0).numpy(), rtol=1e-5)


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(TeacherModelError, match="safetensors"):
        TeacherModel.load(tmp_path)
