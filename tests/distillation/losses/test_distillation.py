"""Distillation within one vocabulary, against numbers worked out by hand, scipy and loops in numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr, softmax
from torch import Tensor
from torch.nn import functional

from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.losses import distillation, top_distillation

HALVES = [torch.float16, torch.bfloat16]


def drawn(seed: int = 0, tokens: int = 9) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    student, teacher = (2 * torch.randn(2, 5, tokens, generator=generator) for _ in range(2))
    labels = torch.tensor([[0, 3, 1, 4, 2], [0, 5, 1, -100, -100]])
    return student, teacher, labels


def counted(labels: Tensor) -> list[tuple[int, int]]:
    """The positions whose logits predict a token."""
    rows, steps = labels.shape
    return [(row, at) for row in range(rows) for at in range(steps - 1) if labels[row, at + 1] != -100]


def likeliest(teacher: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Stored where the token stands that they tell of, one after the logits that predict it."""
    probs, ids = torch.softmax(teacher, -1).topk(k, -1)
    return ids.roll(1, 1), probs.roll(1, 1)


def test_the_even_divergence_is_the_squared_distance_of_scipy() -> None:
    student, teacher, labels = drawn()
    term = distillation(student, teacher, labels, beta=0.5, temperature=2.0)
    p, q = softmax(teacher.numpy() / 2, axis=-1), softmax(student.numpy() / 2, axis=-1)
    expected = [jensenshannon(p[at], q[at]) ** 2 for at in counted(labels)]
    assert term.count == len(expected) == 6
    assert float(term.value) == pytest.approx(np.mean(expected), rel=1e-5)


def test_beta_is_the_teachers_part_of_the_mixture() -> None:
    student, teacher, labels = drawn(1)
    term = distillation(student, teacher, labels, beta=0.2, temperature=1.0)
    p, q = softmax(teacher.numpy(), axis=-1), softmax(student.numpy(), axis=-1)
    m = 0.2 * p + 0.8 * q
    each = (0.2 * rel_entr(p, m) + 0.8 * rel_entr(q, m)).sum(-1)
    assert float(term.value) == pytest.approx(np.mean([each[at] for at in counted(labels)]), rel=1e-5)


def test_the_limits_are_forward_and_reverse_kl() -> None:
    student, teacher, labels = (tensor.double() if tensor.is_floating_point() else tensor for tensor in drawn(2))
    rows = torch.tensor(counted(labels))
    p, q = (torch.log_softmax(logits[rows[:, 0], rows[:, 1]], -1) for logits in (teacher, student))
    forward = float(functional.kl_div(q, p, reduction="batchmean", log_target=True))
    reverse = float(functional.kl_div(p, q, reduction="batchmean", log_target=True))
    assert abs(forward - reverse) > 0.1
    assert float(distillation(student, teacher, labels, 0.0, 1.0).value) == pytest.approx(forward, rel=1e-5)
    assert float(distillation(student, teacher, labels, 1.0, 1.0).value) == pytest.approx(reverse, rel=1e-5)
    near = 1e-4
    assert float(distillation(student, teacher, labels, near, 1.0).value) / near == pytest.approx(forward, rel=0.02)
    assert float(distillation(student, teacher, labels, 1 - near, 1.0).value) / near == pytest.approx(reverse, rel=0.02)


def test_forward_kl_by_hand_with_the_temperature_on_both_sides() -> None:
    # Odds of 4 : 1 and 1 : 9 at temperature 2 are 2 : 1 and 1 : 3.
    teacher = torch.tensor([[[math.log(4.0), 0.0], [0.0, 0.0]]])
    student = torch.tensor([[[0.0, math.log(9.0)], [0.0, 0.0]]])
    term = distillation(student, teacher, torch.tensor([[0, 1]]), beta=0.0, temperature=2.0)
    expected = 2 / 3 * math.log((2 / 3) / (1 / 4)) + 1 / 3 * math.log((1 / 3) / (3 / 4))
    assert term.count == 1
    assert float(term.value) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0])
def test_only_the_student_learns_and_only_where_a_token_is_predicted(beta: float) -> None:
    student, teacher, labels = drawn(3)
    student.requires_grad_()
    teacher.requires_grad_()
    distillation(student, teacher, labels, beta, 1.5).value.backward()
    assert teacher.grad is None
    assert student.grad is not None
    moved = student.grad.abs().sum(-1) > 0
    assert {(row, at) for row, at in moved.nonzero().tolist()} == set(counted(labels))


@pytest.mark.parametrize("labels", [torch.full((2, 3), -100), torch.zeros(0, 3, dtype=torch.int64)])
def test_no_token_is_zero_with_a_gradient_of_zero(labels: Tensor) -> None:
    student = torch.randn(len(labels), 3, 4, requires_grad=True)
    ids, probs = torch.zeros(len(labels), 3, 2, dtype=torch.int64), torch.full((len(labels), 3, 2), 0.4)
    whole = distillation(student, torch.randn(len(labels), 3, 4), labels, 0.5, 1.0)
    stored = top_distillation(student, ids, probs, labels, 0.5, 1.0)
    (whole.value + stored.value).backward()
    assert (float(whole.value.detach()), whole.count) == (float(stored.value.detach()), stored.count) == (0, 0)
    assert student.grad is not None
    assert not student.grad.any()


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_half_precision_is_taken_in_float32(dtype: torch.dtype, beta: float) -> None:
    student = torch.full((1, 2, 4), -50.0, dtype=dtype)
    student[..., 1] = 50.0
    teacher = -student
    student.requires_grad_()
    labels = torch.tensor([[0, 1]])
    terms = [distillation(student, teacher, labels, beta, 1.0)]
    ids, probs = likeliest(teacher.float(), 2)
    terms.append(top_distillation(student, ids, probs.to(dtype), labels, beta, 1.0))
    for term in terms:
        (gradient,) = torch.autograd.grad(term.value, student, retain_graph=True)
        assert term.value.dtype == torch.float32
        assert term.value.isfinite()
        assert gradient.isfinite().all()


@pytest.mark.parametrize("temperature", [1.0, 3.0])
@pytest.mark.parametrize("beta", [0.0, 0.4, 1.0])
def test_stored_probabilities_of_every_token_are_as_good_as_the_logits(temperature: float, beta: float) -> None:
    student, teacher, labels = drawn(4)
    ids, probs = likeliest(teacher, student.shape[-1])
    stored = top_distillation(student, ids, probs, labels, beta, temperature)
    whole = distillation(student, teacher, labels, beta, temperature)
    assert stored.count == whole.count
    assert float(stored.value) == pytest.approx(float(whole.value), rel=1e-4)


def test_what_was_not_stored_is_one_outcome_on_both_sides() -> None:
    student, teacher, labels = drawn(5)
    ids, probs = likeliest(teacher, 3)
    ids[0, 2, 2], probs[0, 2, 2] = -1, 0.0  # one position has two tokens only
    ids[1, 1], probs[1, 1] = -1, 0.0  # and one has none
    term = top_distillation(student, ids, probs, labels, beta=0.3, temperature=2.0)
    expected = []
    for row, at in counted(labels):
        known = [(int(i), float(p)) for i, p in zip(ids[row, at + 1], probs[row, at + 1], strict=True) if i >= 0]
        if not known:
            continue
        q = softmax(student[row, at].numpy().astype(float))
        outcomes = []
        for likely in ([p for _, p in known], [q[i] for i, _ in known]):
            flat = np.sqrt([*likely, 1 - sum(likely)])
            outcomes.append(flat / flat.sum())
        m = 0.3 * outcomes[0] + 0.7 * outcomes[1]
        expected.append(0.3 * rel_entr(outcomes[0], m).sum() + 0.7 * rel_entr(outcomes[1], m).sum())
    assert term.count == len(expected) == 5
    assert float(term.value) == pytest.approx(np.mean(expected), rel=1e-5)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_a_student_that_agrees_with_what_was_stored_has_nothing_to_learn(temperature: float) -> None:
    _, teacher, labels = drawn(6)
    student = teacher.clone().requires_grad_()
    ids, probs = likeliest(teacher, 4)
    term = top_distillation(student, ids, probs, labels, 0.5, temperature)
    term.value.backward()
    assert float(term.value.detach()) == pytest.approx(0, abs=1e-6)
    assert student.grad is not None
    assert float(student.grad.abs().max()) < 1e-5


def test_settings_that_cannot_be_are_refused() -> None:
    student, teacher, labels = drawn()
    with pytest.raises(DistillationError, match=r"beta is 1\.5"):
        distillation(student, teacher, labels, 1.5, 1.0)
    with pytest.raises(DistillationError, match="temperature"):
        distillation(student, teacher, labels, 0.5, 0.0)
    with pytest.raises(DistillationError, match="9 tokens, the teacher 8"):
        distillation(student, teacher[..., :8], labels, 0.5, 1.0)
    ids, probs = likeliest(teacher, 9)
    with pytest.raises(DistillationError, match="up to id 8, but the student has 8 tokens") as refused:
        top_distillation(student[..., :8], ids, probs, labels, 0.5, 1.0)
    assert "`other`" in refused.value.advice
