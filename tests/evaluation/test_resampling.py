"""Bootstrap by patient, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.resampling import bootstrap


def test_the_interval_of_a_mean_is_that_of_the_normal_approximation() -> None:
    values = np.random.default_rng(0).normal(size=800)
    interval = bootstrap({"mean": lambda at: float(values[at].mean())}, [str(i) for i in range(800)], 2000)["mean"]
    half = 1.96 * values.std() / np.sqrt(800)
    assert interval.value == pytest.approx(values.mean())
    assert interval.low == pytest.approx(values.mean() - half, abs=0.15 * half)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.15 * half)


def test_images_of_a_patient_are_drawn_together_which_widens_the_interval() -> None:
    # 40 patients with 10 equal images each: 400 images know no more than 40.
    by_patient = np.random.default_rng(3).normal(size=40)
    values, patients = np.repeat(by_patient, 10), np.repeat(np.arange(40).astype(str), 10)
    statistic = {"mean": lambda at: float(values[at].mean())}
    grouped = bootstrap(statistic, list(patients), 2000)["mean"]
    single = bootstrap(statistic, [str(i) for i in range(400)], 2000)["mean"]
    assert grouped.groups == 40
    assert (grouped.high - grouped.low) / (single.high - single.low) == pytest.approx(np.sqrt(10), rel=0.12)


def test_differences_are_paired() -> None:
    values = np.random.default_rng(4).normal(size=100)
    better = values + 0.5
    found = bootstrap(
        {"difference": lambda at: float(better[at].mean() - values[at].mean())}, [str(i) for i in range(100)], 200
    )["difference"]
    assert found.low == pytest.approx(0.5)
    assert found.high == pytest.approx(0.5)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.arange(30.0)
    draws = [bootstrap({"m": lambda at: float(values[at].mean())}, list("abc" * 10), 50, seed=5)["m"] for _ in "ab"]
    assert draws[0] == draws[1]


def test_no_case_and_an_undefined_score_are_refused() -> None:
    with pytest.raises(EvaluationError, match="no case"):
        bootstrap({"m": lambda at: 0.0}, [])
    with pytest.raises(EvaluationError, match="not defined"):
        bootstrap({"m": lambda at: float("nan")}, ["a", "b"], 10)
