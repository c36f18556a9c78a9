"""The generation term, against numbers worked out by hand and transformers."""

from __future__ import annotations

import math

import pytest
import torch

from kdistill_core.distillation.losses import generation


def test_generation_is_the_mean_surprise_over_the_tokens_that_count() -> None:
    logits = torch.zeros(1, 4, 2)
    logits[0, 0] = torch.tensor([math.log(3.0), 0.0])  # predicts token 0 with 3/4
    logits[0, 1] = torch.tensor([0.0, math.log(4.0)])  # predicts token 1 with 4/5
    labels = torch.tensor([[1, 0, 1, -100]])
    term = generation(logits, labels)
    assert term.count == 2
    assert float(term.value) == pytest.approx(-(math.log(3 / 4) + math.log(4 / 5)) / 2)


def test_generation_agrees_with_the_loss_of_transformers() -> None:
    from transformers.loss.loss_utils import ForCausalLMLoss

    torch.manual_seed(0)
    logits, labels = torch.randn(3, 7, 11), torch.randint(0, 11, (3, 7))
    labels[1, 4:] = -100
    theirs = ForCausalLMLoss(logits, labels, vocab_size=11)
    assert float(generation(logits, labels).value) == pytest.approx(float(theirs), rel=1e-6)


def test_generation_over_no_token_is_zero_with_a_gradient_of_zero() -> None:
    logits = torch.randn(2, 3, 5, requires_grad=True)
    term = generation(logits, torch.full((2, 3), -100))
    term.value.backward()
    assert term.count == 0
    assert float(term.value.detach()) == 0
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_generation_of_half_precision_is_taken_in_float32(dtype: torch.dtype) -> None:
    logits = torch.full((1, 3, 4), 30000.0, dtype=dtype)
    logits[..., 0] = -30000.0
    term = generation(logits.requires_grad_(), torch.tensor([[1, 0, 0]]))
    term.value.backward()
    assert term.value.dtype == torch.float32
    assert float(term.value.detach()) == pytest.approx(60000, rel=0.01)
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
