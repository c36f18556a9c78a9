"""Many texts written together are those that each would be alone, or that the library would draw."""

from __future__ import annotations

import pytest
import torch

from kdistill_core.student import StudentError, StudentModel
from kdistill_core.student.configuration import tiny_config
from kdistill_core.student.greedy import greedy_tokens
from kdistill_core.student.lockstep import written_together

_LENGTH = 24


@pytest.fixture(scope="module")
def student() -> StudentModel:
    torch.manual_seed(4)
    student = StudentModel(tiny_config(vocab_size=30)).eval()
    for parameter in student.language_model.parameters():
        parameter.data *= 4
    # Frequent enough that texts end early, at different places.
    student.generation_config.eos_token_id = [7, 11, 20]
    return student


@pytest.fixture(scope="module")
def prefixes(student) -> torch.Tensor:
    with torch.no_grad():
        return student.prefix(student.encode(torch.randn(12, 1, 64, 64) * 3))


def test_each_text_is_the_one_written_alone(student, prefixes):
    together = written_together(student, prefixes, 0, _LENGTH)
    begin = torch.tensor([[0]])
    alone = [[token for token, _ in greedy_tokens(student, prefix[None], begin, _LENGTH)] for prefix in prefixes]
    without_end = [tokens[:-1] if tokens[-1] in (7, 11, 20) else tokens for tokens in alone]
    assert together == without_end
    lengths = {len(tokens) for tokens in together}
    assert len(lengths) > 2, "texts that leave early are what is tested"


def test_drawn_tokens_follow_their_probabilities(student, prefixes):
    count = 4000
    draws = torch.Generator().manual_seed(1)
    texts = written_together(student, prefixes[:1].expand(count, -1, -1), 0, 1, draws)
    with torch.no_grad():
        logits = student(prefix_embeds=prefixes[:1], input_ids=torch.tensor([[0]])).logits[0, -1]
    expected = logits.softmax(-1)
    found = torch.zeros(30)
    for tokens in texts:
        for token in tokens:
            found[token] += 1 / count
    words = torch.ones(30, dtype=torch.bool)
    words[[7, 11, 20]] = False  # an end leaves no token
    # Five standard errors of a share.
    assert (found - expected)[words].abs().max() < 5 * (0.25 / count) ** 0.5
    assert sum(not tokens for tokens in texts) / count == pytest.approx(float(expected[~words].sum()), abs=0.04)


def test_the_same_draws_give_the_same_texts(student, prefixes):
    first, again, other = (
        written_together(student, prefixes, 0, _LENGTH, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)
    )
    assert first == again != other


def test_a_student_that_the_library_has_to_write_for_is_refused(student, prefixes):
    student.generation_config.repetition_penalty = 1.5
    try:
        with pytest.raises(StudentError, match="cannot write many texts together"):
            written_together(student, prefixes, 0, 3)
    finally:
        student.generation_config.repetition_penalty = None
