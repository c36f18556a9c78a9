"""Calibration error and Brier score, against scikit-learn, torchmetrics and numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss
from torchmetrics.functional.classification import binary_calibration_error

from kdistill_core.evaluation.reliability import (
    brier_statistic,
    calibration_error_statistic,
    equal_mass_edges,
    equal_width_edges,
    reliability_bins,
)

NAN = float("nan")


def made(n: int = 2000) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(0)
    chances = rng.random(n)
    return chances, (rng.random(n) < chances**2).astype(float)


def test_four_cases_by_hand() -> None:
    chances, labels = np.array([0.1, 0.3, 0.9, 0.7, 0.5]), np.array([0.0, 1.0, 1.0, 1.0, NAN])
    edges = equal_width_edges(2)
    # Below one half: mean 0.2 said, 0.5 present; above: 0.8 said, 1 present.
    assert calibration_error_statistic(chances, labels, edges).value == pytest.approx((2 * 0.3 + 2 * 0.2) / 4)
    bins = reliability_bins(chances, labels, edges)
    assert bins.count.tolist() == [2, 2]
    assert bins.mean_probability == pytest.approx([0.2, 0.8])
    assert bins.share_positive == pytest.approx([0.5, 1.0])
    assert brier_statistic(chances, labels).value == pytest.approx((0.01 + 0.49 + 0.01 + 0.09) / 4)


def test_the_error_agrees_with_torchmetrics(torch_in_float64: None) -> None:
    chances, labels = made()
    # No chance lies on an edge, which the two bin differently.
    theirs = float(
        binary_calibration_error(torch.from_numpy(chances), torch.from_numpy(labels.astype(int)), n_bins=15, norm="l1")
    )
    assert calibration_error_statistic(chances, labels).value == pytest.approx(theirs, abs=1e-12)


def test_the_curve_agrees_with_scikit_learn() -> None:
    chances, labels = made()
    share, said = calibration_curve(labels, chances, n_bins=15)
    bins = reliability_bins(chances, labels)
    assert bins.share_positive == pytest.approx(share, abs=1e-12)
    assert bins.mean_probability == pytest.approx(said, abs=1e-12)
    expected = float((bins.count * np.abs(share - said)).sum() / bins.count.sum())
    assert calibration_error_statistic(chances, labels).value == pytest.approx(expected, abs=1e-12)


def test_brier_agrees_with_scikit_learn_weights_included() -> None:
    chances, labels = made()
    weights = np.random.default_rng(1).integers(0, 3, len(labels)).astype(float)
    ours = brier_statistic(chances, labels).weighted(weights[:, None])[0]
    assert ours == pytest.approx(brier_score_loss(labels, chances, sample_weight=weights), abs=1e-12)


def test_pooling_counts_every_label_once() -> None:
    chances, labels = made()
    labels[::7] = NAN
    table, truth = chances.reshape(-1, 4), labels.reshape(-1, 4)
    for build in (calibration_error_statistic, brier_statistic):
        assert build(table, truth).value == pytest.approx(build(chances, labels).value, abs=1e-12)


def test_bins_of_equal_mass_hold_as_many_cases_each() -> None:
    chances = np.random.default_rng(2).random(1000) ** 8
    edges = equal_mass_edges(chances, 10)
    assert reliability_bins(chances, np.zeros(1000), edges).count.tolist() == [100] * 10
    assert len(equal_mass_edges(np.full(50, 0.2), 10)) == 3  # all equal: nothing parts them


def test_one_is_in_the_last_bin_and_an_empty_bin_has_no_mean() -> None:
    bins = reliability_bins(np.array([0.0, 1.0]), np.array([0.0, 1.0]), equal_width_edges(3))
    assert bins.count.tolist() == [1, 0, 1]
    assert np.isnan(bins.share_positive[1])
    assert np.isnan(bins.mean_probability[1])


def test_without_a_label_nothing_is_defined() -> None:
    assert np.isnan(calibration_error_statistic(np.array([0.3]), np.array([NAN])).value)
    assert np.isnan(brier_statistic(np.array([0.3]), np.array([NAN])).value)
