"""The loss terms, against numbers worked out by hand and independent implementations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.losses import (
    SMOOTHED_ONE,
    Term,
    UncertainPolicy,
    alignment,
    classification,
    generation,
    weighted_sum,
)

NAN = float("nan")


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


def test_classification_leaves_blanks_out() -> None:
    logits = torch.tensor([[0.3, -2.0, 1.5], [5.0, 0.1, -0.4]])
    labels = torch.tensor([[1.0, NAN, 0.0], [NAN, NAN, 1.0]])
    term = classification(logits, labels, [UncertainPolicy.IGNORE] * 3)
    expected = log_loss([1, 0, 1], torch.sigmoid(torch.tensor([0.3, 1.5, -0.4])).numpy(), labels=[0, 1])
    assert term.count == 3
    assert float(term.value) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("policy", "target"),
    [(UncertainPolicy.ZEROS, 0.0), (UncertainPolicy.ONES, 1.0), (UncertainPolicy.SMOOTHED, SMOOTHED_ONE)],
)
def test_classification_counts_uncertain_by_policy(policy: UncertainPolicy, target: float) -> None:
    logit = 0.8
    chance = 1 / (1 + math.exp(-logit))
    term = classification(torch.tensor([[logit]]), torch.tensor([[-1.0]]), [policy])
    assert term.count == 1
    expected = -target * math.log(chance) - (1 - target) * math.log(1 - chance)
    assert float(term.value) == pytest.approx(expected, rel=1e-6)


def test_an_ignored_uncertain_label_is_no_blank_for_another_condition() -> None:
    logits, labels = torch.zeros(1, 2), torch.tensor([[-1.0, -1.0]])
    term = classification(logits, labels, [UncertainPolicy.IGNORE, UncertainPolicy.ONES])
    assert term.count == 1
    assert float(term.value) == pytest.approx(math.log(2), rel=1e-6)


def test_weighted_sum_logs_raw_and_weighted_values() -> None:
    terms = {"a": lambda: Term(torch.tensor(2.0), 3), "b": lambda: Term(torch.tensor(0.5), 7)}
    total, logged = weighted_sum(terms, {"a": 0.25, "b": 4.0})
    assert float(total) == 2.5
    assert logged == {
        "a/raw": 2.0, "a/weighted": 0.5, "a/count": 3.0, "b/raw": 0.5, "b/weighted": 2.0, "b/count": 7.0,
    }  # fmt: skip


def test_a_weight_of_zero_means_that_the_term_is_never_computed() -> None:
    def broken() -> Term:
        raise AssertionError("computed")

    total, logged = weighted_sum({"a": lambda: Term(torch.tensor(2.0), 1), "b": broken}, {"a": 1.0, "b": 0.0})
    assert float(total) == 2.0
    assert not [name for name in logged if name.startswith("b/")]


def test_a_misspelled_weight_is_refused_by_name() -> None:
    with pytest.raises(DistillationError, match="generaton"):
        weighted_sum({"generation": lambda: Term(torch.tensor(1.0), 1)}, {"generaton": 1.0})


def test_an_objective_of_nothing_is_refused() -> None:
    with pytest.raises(DistillationError, match="weight 0"):
        weighted_sum({"generation": lambda: Term(torch.tensor(1.0), 1)}, {"generation": 0.0})
