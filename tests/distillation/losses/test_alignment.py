"""The alignment terms, against numbers worked out by hand, scipy, scikit-learn and loops in numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.spatial import distance
from scipy.special import log_softmax
from sklearn.metrics import jaccard_score
from torch import Tensor

from kdistill_core.distillation.losses import (
    alignment,
    condition_alignment,
    cosine,
    finding_overlap,
    soft_alignment,
)

NAN = float("nan")


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def cosines(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    return 1 - distance.cdist(ours.astype(float), theirs.astype(float), "cosine")


def test_alignment_of_two_cases_by_hand() -> None:
    # Likeness 1 on the diagonal and 0 beside it, temperature 1: -log(e / (e + 1)) in both directions.
    eye = torch.eye(2)
    term = alignment(eye, eye, torch.zeros(2, 2, dtype=torch.bool), temperature=1.0)
    assert term.count == 2
    assert float(term.value) == pytest.approx(math.log(1 + math.exp(-1)), rel=1e-6)


def test_alignment_takes_cases_with_equal_findings_as_positives() -> None:
    teacher = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    same = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    blind = alignment(teacher, teacher, torch.zeros_like(same), temperature=0.05)
    aware = alignment(teacher, teacher, same, temperature=0.05)
    assert float(aware.value) == pytest.approx(0, abs=1e-6)
    assert float(blind.value) == pytest.approx(2 / 3 * math.log(2), rel=1e-3)


def test_alignment_without_equals_is_symmetric_info_nce() -> None:
    rng = np.random.default_rng(0)
    student, teacher = rng.normal(size=(5, 8)), rng.normal(size=(5, 8))
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (student, teacher)]
    likeness = unit[0] @ unit[1].T / 0.2
    chances = np.exp(likeness) / np.exp(likeness).sum(1, keepdims=True)
    chances_back = np.exp(likeness.T) / np.exp(likeness.T).sum(1, keepdims=True)
    expected = -(np.log(np.diag(chances)).mean() + np.log(np.diag(chances_back)).mean()) / 2
    term = alignment(torch.from_numpy(student), torch.from_numpy(teacher), torch.zeros(5, 5, dtype=torch.bool), 0.2)
    assert float(term.value) == pytest.approx(expected, rel=1e-5)


def test_findings_overlap_by_the_index_of_jaccard() -> None:
    sets = torch.tensor([[1, 1, 0, 0], [1, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 0, 0]], dtype=torch.bool)
    rows = sets.numpy()
    expected = [[jaccard_score(a, b, zero_division=1.0) for b in rows] for a in rows]
    assert finding_overlap(sets).numpy() == pytest.approx(np.array(expected))
    assert expected[0][1] == pytest.approx(1 / 4)


def test_shared_findings_share_out_the_target() -> None:
    student, teacher = drawn(4, 8), drawn(4, 8, seed=1)
    sets = torch.tensor([[1, 1, 0], [1, 0, 0], [0, 0, 1], [1, 1, 0]], dtype=torch.bool)
    overlap = np.array([[1, 0.5, 0, 1], [0.5, 1, 0, 0.5], [0, 0, 1, 0], [1, 0.5, 0, 1]])
    likeness = cosines(student.numpy(), teacher.numpy()) / 0.2
    targets = overlap / overlap.sum(1, keepdims=True)
    there, back = (-(targets * log_softmax(rows, axis=1)).sum(1) for rows in (likeness, likeness.T))
    term = soft_alignment(student, teacher, finding_overlap(sets), 0.2)
    assert term.count == 4
    assert float(term.value) == pytest.approx((there.mean() + back.mean()) / 2, rel=1e-5)


def test_without_shared_findings_soft_targets_are_hard_ones() -> None:
    student, teacher = drawn(5, 6), drawn(5, 6, seed=1)
    hard = alignment(student, teacher, torch.zeros(5, 5, dtype=torch.bool), 0.3)
    soft = soft_alignment(student, teacher, torch.eye(5), 0.3)
    assert float(soft.value) == pytest.approx(float(hard.value), rel=1e-6)


def test_cosine_is_the_distance_of_scipy_where_there_is_a_target() -> None:
    student, teacher = drawn(2, 3, 5), drawn(2, 3, 5, seed=1)
    teacher[1, 0] = NAN
    teacher[0, 2] = NAN
    pairs = [(0, 0), (0, 1), (1, 1), (1, 2)]
    term = cosine(student.requires_grad_(), teacher)
    term.value.backward()
    expected = [distance.cosine(student[at].detach().numpy(), teacher[at].numpy()) for at in pairs]
    assert term.count == 4
    assert float(term.value.detach()) == pytest.approx(np.mean(expected), rel=1e-5)
    assert student.grad is not None
    assert student.grad.isfinite().all()
    assert not student.grad[1, 0].any()


def test_cosine_by_hand() -> None:
    ours, theirs = torch.tensor([[2.0, 0.0], [1.0, 1.0]]), torch.tensor([[-3.0, 0.0], [1.0, 0.0]])
    assert float(cosine(ours, theirs).value) == pytest.approx((2 + 1 - math.sqrt(0.5)) / 2, rel=1e-6)


def test_the_evidence_of_a_condition_meets_what_is_said_of_it_and_of_no_other() -> None:
    student, teacher = drawn(3, 2, 6), drawn(3, 2, 6, seed=1)
    teacher[2, 1] = teacher[0, 1]  # the same canonical sentences in two cases
    teacher[1, 1] = NAN  # nothing is said of it there
    pairs = [(0, 0), (0, 1), (1, 0), (2, 0), (2, 1)]
    likeness = cosines(np.array([student[at].numpy() for at in pairs]), np.array([teacher[at].numpy() for at in pairs]))
    chances = [np.exp(log_softmax(rows / 0.1, axis=1)) for rows in (likeness, likeness.T)]
    expected = []
    for row in range(5):
        positives = [1, 4] if row in (1, 4) else [row]
        expected.append(-np.mean([np.log(side[row, positives].sum()) for side in chances]))
    term = condition_alignment(student, teacher, 0.1)
    assert term.count == 5
    assert float(term.value) == pytest.approx(np.mean(expected), rel=1e-4)


def test_evidence_that_is_its_own_rationale_has_nothing_to_learn() -> None:
    teacher = torch.eye(4).reshape(2, 2, 4)
    right = condition_alignment(teacher.clone(), teacher, 0.05)
    swapped = condition_alignment(teacher.flip(1), teacher, 0.05)
    assert float(right.value) == pytest.approx(0, abs=1e-6)
    assert float(swapped.value) == pytest.approx(20, rel=1e-3)


def test_a_condition_that_nothing_is_said_of_gets_no_gradient() -> None:
    student, teacher = drawn(2, 3, 4).requires_grad_(), drawn(2, 3, 4, seed=1)
    teacher[0, 1] = NAN
    condition_alignment(student, teacher, 0.1).value.backward()
    assert student.grad is not None
    assert student.grad.isfinite().all()
    silent = (student.grad.abs().sum(-1) == 0).nonzero().tolist()
    assert silent == [[0, 1]]


@pytest.mark.parametrize("rows", [0, 2])
def test_nothing_said_is_zero_with_a_gradient_of_zero(rows: int) -> None:
    student = torch.randn(rows, 3, 4, requires_grad=True)
    nothing = torch.full((rows, 3, 4), NAN)
    terms = [condition_alignment(student, nothing, 0.1), cosine(student, nothing)]
    if rows == 0:
        cases, overlap = student[:, 0], torch.ones(0, 0)
        terms += [alignment(cases, nothing[:, 0], overlap.bool(), 0.1)]
        terms += [soft_alignment(cases, nothing[:, 0], overlap, 0.1)]
    torch.stack([term.value for term in terms]).sum().backward()
    assert [(float(term.value.detach()), term.count) for term in terms] == [(0, 0)] * len(terms)
    assert student.grad is not None
    assert not student.grad.any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_taken_in_float32_under_autocast_as_well(dtype: torch.dtype) -> None:
    student, teacher = drawn(3, 2, 6).to(dtype), drawn(3, 2, 6, seed=1).to(dtype)
    expected = condition_alignment(student.double().float(), teacher.float(), 0.01)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = [
            condition_alignment(student.requires_grad_(), teacher, 0.01),
            alignment(student[:, 0], teacher[:, 0], torch.eye(3, dtype=torch.bool), 0.01),
            soft_alignment(student[:, 0], teacher[:, 0], torch.eye(3), 0.01),
            cosine(student, teacher),
        ]
    torch.stack([term.value for term in terms]).sum().backward()
    assert float(terms[0].value.detach()) == pytest.approx(float(expected.value), rel=1e-5)
    assert {term.value.dtype for term in terms} == {torch.float32}
    assert student.grad is not None
    assert student.grad.isfinite().all()
