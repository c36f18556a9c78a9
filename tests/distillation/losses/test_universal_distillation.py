"""Distillation across vocabularies, against numbers worked out by hand and loops in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch import Tensor

from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.losses import universal_distillation, universal_top_distillation


def drawn() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Student and teacher with 7 and 11 tokens; the second text ends earlier, the teacher's first one opens later."""
    generator = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(2, 5, 7, generator=generator), 2 * torch.randn(2, 8, 11, generator=generator)
    labels = torch.tensor([[0, 3, 1, 4, 2], [0, 5, 1, -100, -100]])
    theirs = torch.tensor([[-100, -100, -100, 7, 9, 1, -100, -100], [0, 9, 9, 9, 10, 3, 1, 2]])
    return student, labels, teacher, theirs


def positions(labels: Tensor, row: int) -> list[int]:
    return [at for at in range(labels.shape[1] - 1) if labels[row, at + 1] != -100]


def test_sorted_probabilities_are_compared_by_hand() -> None:
    student = torch.tensor([[[0.1, 0.7, 0.2], [1, 1, 1]]]).log()
    teacher = torch.tensor([[[0.4, 0.6], [1, 1]]]).log()
    term = universal_distillation(student, torch.tensor([[0, 1]]), teacher, torch.tensor([[0, 1]]), 1.0)
    assert term.count == 1
    assert float(term.value) == pytest.approx(0.1 + 0.2 + 0.1, rel=1e-5)


def test_the_nth_token_meets_the_nth_up_to_the_end_of_the_shorter() -> None:
    student, labels, teacher, theirs = drawn()
    term = universal_distillation(student, labels, teacher, theirs, temperature=1.5)
    expected = []
    for row in range(2):
        for ours, other in zip(positions(labels, row), positions(theirs, row), strict=False):
            said = np.sort(softmax(student[row, ours].numpy() / 1.5))[::-1]
            told = np.sort(softmax(teacher[row, other].numpy() / 1.5))[::-1]
            expected.append(np.abs(np.pad(said, (0, 4)) - told).sum())
    assert term.count == len(expected) == 5
    assert float(term.value) == pytest.approx(np.mean(expected), rel=1e-5)


def test_tokens_have_no_names() -> None:
    student, labels, _, _ = drawn()
    shuffled = student[..., torch.randperm(7)]
    assert float(universal_distillation(student, labels, shuffled, labels, 1.0).value) == pytest.approx(0, abs=1e-6)


def test_stored_probabilities_of_every_token_are_as_good_as_the_logits() -> None:
    student, labels, _, _ = drawn()
    teacher = 2 * torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(1))
    probs = torch.softmax(teacher, -1).roll(1, 1).masked_fill((labels == -100).unsqueeze(-1), 0.0)
    for temperature in (1.0, 2.0):
        whole = universal_distillation(student, labels, teacher, labels, temperature)
        stored = universal_top_distillation(student, labels, probs, temperature)
        assert stored.count == whole.count
        # The rest, which is nothing here, is held to be at least a millionth.
        assert float(stored.value) == pytest.approx(float(whole.value), abs=5e-3 if temperature > 1 else 1e-5)


def test_what_was_not_stored_is_one_outcome() -> None:
    student, labels, teacher, _ = drawn()
    probs = torch.softmax(teacher, -1).topk(3, -1).values
    probs[0, 2, 2] = 0.0  # one position has two only
    probs[1, 4:] = 0.0
    term = universal_top_distillation(student, labels, probs, temperature=2.0)
    expected = []
    for row in range(2):
        told_at = [at for at in range(1, 8) if probs[row, at].sum() > 0]
        for ours, other in zip(positions(labels, row), told_at, strict=False):
            told = [float(p) for p in probs[row, other] if p > 0]
            said = np.sort(softmax(student[row, ours].numpy().astype(float)))[::-1][: len(told)]
            flat = [np.sqrt([*likely, 1 - sum(likely)]) for likely in (told, said)]
            expected.append(np.abs(flat[0] / flat[0].sum() - flat[1] / flat[1].sum()).sum())
    assert term.count == len(expected) == 6
    assert float(term.value) == pytest.approx(np.mean(expected), rel=1e-4)


def test_it_pulls_the_student_towards_the_teachers_certainty() -> None:
    student = torch.zeros(1, 2, 4)
    student[0, 0, 2] = 0.1
    probs = torch.tensor([[[0.0, 0.0], [0.9, 0.05]]])
    losses = []
    for _ in range(60):
        student.requires_grad_()
        value = universal_top_distillation(student, torch.tensor([[0, 1]]), probs, 1.0).value
        (gradient,) = torch.autograd.grad(value, student)
        student = student.detach() - gradient
        losses.append(float(value.detach()))
    assert losses[-1] < 0.2 * losses[0]
    assert int(student[0, 0].argmax()) == 2


@pytest.mark.parametrize("rows", [0, 2])
def test_no_token_is_zero_with_a_gradient_of_zero(rows: int) -> None:
    student = torch.randn(rows, 3, 5, requires_grad=True)
    none = torch.full((rows, 3), -100)
    whole = universal_distillation(student, none, torch.randn(rows, 4, 6), torch.ones(rows, 4, dtype=torch.int64), 1.0)
    stored = universal_top_distillation(student, none, torch.full((rows, 4, 2), 0.3), 1.0)
    (whole.value + stored.value).backward()
    assert (float(whole.value.detach()), whole.count) == (float(stored.value.detach()), stored.count) == (0, 0)
    assert student.grad is not None
    assert not student.grad.any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_taken_in_float32(dtype: torch.dtype) -> None:
    student = torch.tensor([[[-50.0, 50.0, 0.0], [0, 0, 0]]], dtype=dtype, requires_grad=True)
    labels = torch.tensor([[0, 1]])
    terms = (
        universal_distillation(student, labels, torch.zeros(1, 2, 4, dtype=dtype), labels, 1.0),
        universal_top_distillation(student, labels, torch.full((1, 2, 3), 0.25, dtype=dtype), 1.0),
    )
    for term in terms:
        term.value.backward()
        assert term.value.dtype == torch.float32
        assert float(term.value.detach()) == pytest.approx(1.5, rel=1e-3)
    assert student.grad is not None
    assert student.grad.isfinite().all()


def test_a_temperature_of_zero_is_refused() -> None:
    student, labels, teacher, theirs = drawn()
    with pytest.raises(DistillationError, match="temperature"):
        universal_distillation(student, labels, teacher, theirs, 0.0)
