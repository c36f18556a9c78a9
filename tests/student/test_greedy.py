"""Greedy writing without the library's loop gives the library's tokens, and leaves to it what it does not know."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config

from kdistill_core.student import StudentError, StudentModel
from kdistill_core.student.adapters import add_lora
from kdistill_core.student.configuration import tiny_config
from kdistill_core.student.greedy import greedy_tokens, writes_greedily

BEGIN = torch.tensor([[0]])


def student_of(seed: int, **text: object) -> StudentModel:
    """A student whose every token depends on what came before."""
    config = tiny_config(vocab_size=50)
    for name, value in text.items():
        setattr(config.text_config, name, value)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        student = StudentModel(config).eval()
        for parameter in student.language_model.parameters():
            # Biases start at 0, which would hide that they were forgotten.
            parameter.data = parameter * 4 + (0.3 * torch.randn_like(parameter) if parameter.ndim == 1 else 0)
    student.generation_config.eos_token_id = None
    return student


def prefix_of(student: StudentModel, seed: int = 0) -> torch.Tensor:
    pixels = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(seed)).to(student.dtype)
    with torch.no_grad():
        return student.prefix(student.encode(pixels))


def both(student: StudentModel, count: int, begin: torch.Tensor = BEGIN) -> tuple[list[int], list[int]]:
    prefix = prefix_of(student)
    theirs = student.generate(
        input_ids=begin, prefix_embeds=prefix, max_new_tokens=count, output_scores=True, return_dict_in_generate=True
    )
    ours = list(greedy_tokens(student, prefix, begin, count))
    for scores, (_, logits) in zip(theirs.scores, ours, strict=True):
        torch.testing.assert_close(logits, scores[0], atol=1e-4, rtol=1e-4)
    return [token for token, _ in ours], theirs.sequences[0, begin.shape[1] :].tolist()


@pytest.mark.parametrize(
    "text",
    [
        {},
        {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8},
        {"num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 12},
        {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": False},
        {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}},
    ],
    ids=["plain", "grouped", "multi-query", "biased", "stretched"],
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_tokens_and_their_scores_are_those_of_generate(seed: int, text: dict[str, object]) -> None:
    ours, theirs = both(student_of(seed, **text), 40)
    assert ours == theirs
    assert len(set(ours)) > 1


def test_a_text_that_has_begun_is_gone_on_with() -> None:
    ours, theirs = both(student_of(4), 20, torch.tensor([[0, 17, 23, 8]]))
    assert ours == theirs


@pytest.mark.parametrize("listed", [False, True])
def test_the_end_token_ends_the_text_and_is_the_last(listed: bool) -> None:
    student = student_of(1)
    written, _ = both(student, 40)
    end = written[10]
    student.generation_config.eos_token_id = [end, 3000] if listed else end
    ours, theirs = both(student, 40)
    assert ours == theirs == written[: written.index(end) + 1]


def test_adapters_and_half_precision_write_as_generate_does() -> None:
    student = student_of(5)
    add_lora(student)
    for name, parameter in student.language_model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    ours, theirs = both(student.eval(), 20)
    assert ours == theirs
    half = student_of(6).to(torch.bfloat16)
    written = [token for token, _ in greedy_tokens(half, prefix_of(half), BEGIN, 20)]
    assert written == half.generate(input_ids=BEGIN, prefix_embeds=prefix_of(half), max_new_tokens=20)[0, 1:].tolist()


@pytest.mark.parametrize(
    ("name", "value"),
    [("do_sample", True), ("num_beams", 2), ("suppress_tokens", [5]), ("repetition_penalty", 1.2), ("min_length", 5)],
)
def test_what_is_more_than_the_likeliest_token_stays_with_generate(name: str, value: object) -> None:
    student = student_of(1)
    assert writes_greedily(student)
    setattr(student.generation_config, name, value)
    assert not writes_greedily(student)
    with pytest.raises(StudentError, match="likeliest token"):
        next(greedy_tokens(student, prefix_of(student), BEGIN, 3))


def test_another_architecture_or_a_student_in_training_stays_with_generate() -> None:
    student = student_of(1)
    assert not writes_greedily(student.train())
    assert writes_greedily(student.eval())
    student.language_model = AutoModelForCausalLM.from_config(GPT2Config(n_layer=1, n_head=2, n_embd=32, vocab_size=50))
    assert not writes_greedily(student)
    stretched = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}
    assert not writes_greedily(student_of(1, rope_parameters=stretched))


def test_several_texts_at_once_stay_with_generate() -> None:
    student = student_of(1)
    with pytest.raises(StudentError, match="one text"):
        next(greedy_tokens(student, prefix_of(student).expand(2, -1, -1), BEGIN.expand(2, -1), 3))
