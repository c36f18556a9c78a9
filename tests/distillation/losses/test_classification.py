"""The classification term, against numbers worked out by hand, scikit-learn, scipy and torch's own losses."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import logistic
from sklearn.metrics import log_loss
from torch.nn import functional

from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.losses import (
    SMOOTHED_ONE,
    UNCERTAIN_HALF_WIDTH,
    UncertainPolicy,
    classification,
    positive_weights_of,
)

NAN = float("nan")
IGNORE, MULTI = UncertainPolicy.IGNORE, UncertainPolicy.MULTI_CLASS


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


def surprise(logit: float, label: float) -> float:
    """The loss of one condition with three classes."""
    return float(classification(torch.tensor([[logit]], dtype=torch.float64), torch.tensor([[label]]), [MULTI]).value)


@pytest.mark.parametrize("logit", [-4.0, -0.7, 0.0, 1.3, 6.0])
def test_three_classes_are_the_parts_of_a_logistic_curve_between_two_thresholds(logit: float) -> None:
    low, high = logistic.cdf([-UNCERTAIN_HALF_WIDTH, UNCERTAIN_HALF_WIDTH], loc=logit)
    chances = [math.exp(-surprise(logit, label)) for label in (0.0, -1.0, 1.0)]
    assert chances == pytest.approx([low, high - low, 1 - high], rel=1e-5)
    assert sum(chances) == pytest.approx(1, rel=1e-6)


def test_three_classes_are_equally_likely_at_a_logit_of_zero() -> None:
    assert [surprise(0.0, label) for label in (0.0, -1.0, 1.0)] == pytest.approx([math.log(3)] * 3, rel=1e-6)


def test_three_classes_stay_exact_where_a_difference_of_probabilities_would_vanish() -> None:
    # exp(w - s) - exp(-w - s) = 1.5 exp(-s) far out.
    assert surprise(60.0, -1.0) == pytest.approx(60 - math.log(1.5), rel=1e-6)
    assert surprise(-60.0, -1.0) == pytest.approx(60 - math.log(1.5), rel=1e-6)


def test_an_uncertain_label_pulls_the_logit_to_the_middle_and_the_others_stay_binary() -> None:
    logits = torch.tensor([[3.0, -3.0, 3.0]], requires_grad=True)
    term = classification(logits, torch.tensor([[-1.0, -1.0, -1.0]]), [MULTI, MULTI, UncertainPolicy.ONES])
    (gradient,) = torch.autograd.grad(term.value, logits)
    assert term.count == 3
    assert gradient[0, 0] > 0 > gradient[0, 1]
    assert float(gradient[0, 2]) == pytest.approx((1 / (1 + math.exp(-3)) - 1) / 3, rel=1e-5)


def test_soft_labels_fill_blanks_and_nothing_else() -> None:
    logits = torch.tensor([[0.4, -1.2, 2.0, 0.7]])
    labels = torch.tensor([[1.0, NAN, NAN, -1.0]])
    soft = torch.tensor([[0.2, 0.3, NAN, 0.9]])
    term = classification(logits, labels, [IGNORE] * 4, soft_labels=soft, soft_weight=0.25)
    expected = functional.binary_cross_entropy(
        torch.sigmoid(logits[0, :2]), torch.tensor([1.0, 0.3]), reduction="none"
    ).tolist()
    assert term.count == 1.25
    assert float(term.value) == pytest.approx((expected[0] + 0.25 * expected[1]) / 1.25, rel=1e-6)


def test_soft_labels_of_weight_zero_are_as_blank_as_before() -> None:
    logits, labels = torch.tensor([[0.4, -1.2]]), torch.tensor([[1.0, NAN]])
    without = classification(logits, labels, [IGNORE] * 2)
    term = classification(logits, labels, [IGNORE] * 2, soft_labels=torch.tensor([[NAN, 0.5]]), soft_weight=0.0)
    assert (float(term.value), term.count) == (float(without.value), without.count)


def test_focal_loss_by_hand() -> None:
    # Lin et al.: with gamma 2, a p_t of 0.9 costs a hundredth of its cross-entropy.
    logit = math.log(9.0)
    term = classification(torch.tensor([[logit, logit]]), torch.tensor([[1.0, 0.0]]), [IGNORE] * 2, focusing=2.0)
    expected = -(0.1**2) * math.log(0.9) - 0.9**2 * math.log(0.1)
    assert float(term.value) == pytest.approx(expected / 2, rel=1e-5)


def test_focal_loss_of_soft_and_of_three_classes_agrees_with_its_formula() -> None:
    logits, labels = torch.tensor([[0.8, -0.5]]), torch.tensor([[NAN, -1.0]])
    term = classification(logits, labels, [IGNORE, MULTI], soft_labels=torch.tensor([[0.3, NAN]]), focusing=1.5)
    p = logistic.cdf(0.8)
    soft = -(abs(0.3 - p) ** 1.5) * (0.3 * np.log(p) + 0.7 * np.log(1 - p))
    between = logistic.cdf(UNCERTAIN_HALF_WIDTH, loc=-0.5) - logistic.cdf(-UNCERTAIN_HALF_WIDTH, loc=-0.5)
    hard = -((1 - between) ** 1.5) * np.log(between)
    assert float(term.value) == pytest.approx((soft + hard) / 2, rel=1e-5)


def test_a_soft_label_that_is_met_exactly_has_a_finite_focal_gradient() -> None:
    logits = torch.zeros(1, 1, requires_grad=True)
    blank, soft = torch.tensor([[NAN]]), torch.tensor([[0.5]])
    classification(logits, blank, [IGNORE], soft_labels=soft, focusing=0.5).value.backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_weights_of_positives_agree_with_torch() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 3, generator=generator)
    labels = (torch.rand(6, 3, generator=generator) < 0.5).float()
    weights = (0.5, 3.0, 10.0)
    term = classification(logits, labels, [IGNORE] * 3, positive_weights=weights)
    theirs = functional.binary_cross_entropy_with_logits(logits, labels, pos_weight=torch.tensor(weights))
    assert float(term.value) == pytest.approx(float(theirs), rel=1e-6)


def test_positives_weigh_what_negatives_outnumber_them_by_within_bounds() -> None:
    labels = torch.zeros(40, 4)
    labels[:10, 0] = 1.0  # 10 against 20, and 10 that do not count
    labels[30:35, 0], labels[35:, 0] = NAN, -1.0
    labels[0, 1] = 1.0  # 1 against 39
    labels[:, 3] = NAN
    assert positive_weights_of(labels) == (2.0, 10.0, 1.0, 1.0)
    assert positive_weights_of(labels, most=100.0)[1] == 39.0


@pytest.mark.parametrize("rows", [0, 2])
def test_no_label_is_zero_with_a_gradient_of_zero(rows: int) -> None:
    logits = torch.randn(rows, 2, requires_grad=True)
    blank = torch.full((rows, 2), NAN)
    term = classification(logits, blank, [IGNORE, MULTI], soft_labels=blank, focusing=2.0, positive_weights=(2.0, 3.0))
    term.value.backward()
    assert (float(term.value.detach()), term.count) == (0, 0)
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("policy", list(UncertainPolicy))
def test_half_precision_is_taken_in_float32(dtype: torch.dtype, policy: UncertainPolicy) -> None:
    logits = torch.tensor([[60000.0] * 3, [-60000.0] * 3], dtype=dtype, requires_grad=True)
    labels = torch.tensor([[0.0, -1.0, NAN], [1.0, -1.0, NAN]], dtype=dtype)
    soft = torch.full((2, 3), 0.5, dtype=dtype)
    term = classification(
        logits, labels, [policy] * 3, soft_labels=soft, focusing=2.0, positive_weights=(2.0, 2.0, 2.0)
    )
    term.value.backward()
    assert term.value.dtype == torch.float32
    assert term.value.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_policies_and_weights_are_one_per_condition() -> None:
    logits, labels = torch.zeros(1, 3), torch.zeros(1, 3)
    with pytest.raises(DistillationError, match=r"2 policies .* 3 conditions"):
        classification(logits, labels, [IGNORE] * 2)
    with pytest.raises(DistillationError, match=r"1 weights .* 3 conditions"):
        classification(logits, labels, [IGNORE] * 3, positive_weights=(1.0,))
