"""Bootstrap by patient, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from kdistill_core.evaluation.counting import Rate, rate_statistic
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.ranking import auc_statistic
from kdistill_core.evaluation.resampling import Patients, bootstrap, draw_patients, percentile_interval, resample


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


def test_sums_over_cases_give_what_a_loop_over_the_same_draws_gives() -> None:
    rng = np.random.default_rng(6)
    labels = (rng.random(90) < 0.4).astype(float)
    scores = np.round(rng.normal(size=90) + labels, 1)
    patients = [str(case // 3) for case in range(90)]
    drawn = resample(
        {"AUC": auc_statistic(scores, labels), "F1": rate_statistic(Rate.F1, scores > 0.5, labels)}, patients, 150, 7
    )
    looped = bootstrap(
        {
            "AUC": lambda at: float(roc_auc_score(labels[at], scores[at])),
            "F1": lambda at: float(f1_score(labels[at], scores[at] > 0.5)),
        },
        patients,
        resamples=150,
        seed=7,
    )
    for name, interval in looped.items():
        ours = percentile_interval(interval.value, drawn[name], 90, 30)
        assert ours is not None
        assert (ours.low, ours.high) == pytest.approx((interval.low, interval.high), abs=1e-12)
        assert (ours.n, ours.groups, ours.resamples) == (interval.n, interval.groups, interval.resamples)


def test_cases_of_a_patient_need_not_stand_together() -> None:
    values = np.random.default_rng(8).normal(size=60)
    apart, together = [str(case % 20) for case in range(60)], [str(case // 3) for case in range(60)]
    order = np.argsort([case % 20 for case in range(60)], kind="stable")
    one = bootstrap({"m": lambda at: float(values[at].mean())}, apart, 40)["m"]
    other = bootstrap({"m": lambda at: float(values[order][at].mean())}, together, 40)["m"]
    assert (one.low, one.high) == pytest.approx((other.low, other.high))


def test_draws_do_not_depend_on_how_many_are_made_at_once() -> None:
    whole = np.concatenate(list(draw_patients(37, 50, seed=1, block=50)), axis=1)
    parts = np.concatenate(list(draw_patients(37, 50, seed=1, block=7)), axis=1)
    assert np.array_equal(whole, parts)
    assert (whole.sum(axis=0) == 37).all()
    # A patient is drawn once on average, with the variance of Poisson's law nearly.
    assert whole.mean() == 1.0
    assert whole.var() == pytest.approx(1.0, abs=0.1)


def test_patients_are_numbered_as_they_appear() -> None:
    patients = Patients.of(["b", "a", "b", "c"])
    assert patients.index.tolist() == [0, 1, 0, 2]
    assert patients.count == 3
    assert patients.members.toarray().tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]]


def test_draws_without_a_defined_score_are_left_out_and_counted() -> None:
    interval = percentile_interval(0.5, np.array([0.4, np.nan, 0.6, np.nan]), 10, 5)
    assert interval is not None
    assert (interval.resamples, interval.low >= 0.4, interval.high <= 0.6) == (2, True, True)
    assert percentile_interval(0.5, np.array([np.nan]), 10, 5) is None


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(9)
    covered = 0
    for number in range(200):
        labels = np.repeat([0.0, 1.0], 30)
        scores = rng.normal(size=60) + labels
        drawn = resample({"AUC": auc_statistic(scores, labels)}, [str(case) for case in range(60)], 200, number)["AUC"]
        low, high = np.quantile(drawn, [0.025, 0.975])
        covered += bool(low <= 0.7602 <= high)  # the normal distribution's value at 1 / sqrt(2)
    # 200 intervals of 95 %: 190 expected, standard deviation 3; percentile intervals of 60 cases are a little narrow.
    assert 178 <= covered <= 198
