"""The concept term, against scikit-learn."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import log_loss

from kdistill_core.distillation.losses import concept

NAN = float("nan")


def test_signs_that_the_teacher_does_not_speak_of_are_left_out() -> None:
    logits = torch.tensor([[0.5, -1.0, 9.0], [2.0, 7.0, -0.3]], requires_grad=True)
    term = concept(logits, torch.tensor([[1.0, 0.0, NAN], [0.0, NAN, 1.0]]))
    term.value.backward()
    chances = torch.sigmoid(torch.tensor([0.5, -1.0, 2.0, -0.3])).numpy()
    assert term.count == 4
    assert float(term.value.detach()) == pytest.approx(log_loss([1, 0, 0, 1], chances), rel=1e-6)
    assert logits.grad is not None
    assert (logits.grad != 0).tolist() == [[True, True, False], [True, False, True]]


@pytest.mark.parametrize("rows", [0, 2])
def test_no_sign_at_all_is_zero_with_a_gradient_of_zero(rows: int) -> None:
    logits = torch.randn(rows, 3, requires_grad=True)
    term = concept(logits, torch.full((rows, 3), NAN))
    term.value.backward()
    assert (float(term.value.detach()), term.count) == (0, 0)
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_taken_in_float32(dtype: torch.dtype) -> None:
    logits = torch.tensor([[60000.0, -60000.0]], dtype=dtype)
    term = concept(logits, torch.tensor([[0.0, 1.0]]))
    assert term.value.dtype == torch.float32
    assert float(term.value) == pytest.approx(60000, rel=0.01)
