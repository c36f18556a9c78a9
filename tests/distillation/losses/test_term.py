"""Terms and their weighted sum."""

from __future__ import annotations

import pytest
import torch

from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.losses import Term, compute_terms, weighted_sum
from kdistill_core.distillation.losses.term import mean


def test_weighted_sum_logs_raw_and_weighted_values() -> None:
    terms = {"a": Term(torch.tensor(2.0), 3), "b": Term(torch.tensor(0.5), 7)}
    total, logged = weighted_sum(terms, {"a": 0.25, "b": 4.0})
    assert float(total) == 2.5
    assert logged == {
        "a/raw": 2.0, "a/weighted": 0.5, "a/count": 3.0, "b/raw": 0.5, "b/weighted": 2.0, "b/count": 7.0,
    }  # fmt: skip


def test_a_weight_of_zero_means_that_the_term_is_never_computed() -> None:
    def broken() -> Term:
        raise AssertionError("computed")

    terms = compute_terms({"a": lambda: Term(torch.tensor(2.0), 1), "b": broken}, {"a": 1.0, "b": 0.0})
    assert set(terms) == {"a"}


def test_a_misspelled_weight_is_refused_by_name() -> None:
    with pytest.raises(DistillationError, match="generaton"):
        compute_terms({"generation": lambda: Term(torch.tensor(1.0), 1)}, {"generaton": 1.0})


def test_an_objective_of_nothing_is_refused() -> None:
    with pytest.raises(DistillationError, match="weight 0"):
        compute_terms({"generation": lambda: Term(torch.tensor(1.0), 1)}, {"generation": 0.0})


def test_a_mean_weighs_items_and_is_not_disturbed_by_what_it_leaves_out() -> None:
    each = torch.tensor([1.0, 4.0, float("inf")], requires_grad=True)
    term = mean(each, torch.tensor([1.0, 0.5, 0.0]))
    term.value.backward()
    assert term.count == 1.5
    assert float(term.value.detach()) == 2.0
    assert each.grad is not None
    assert each.grad.tolist() == pytest.approx([2 / 3, 1 / 3, 0])
