"""Soft labels of simulated cases: features, truth and reports whose omissions are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from kdistill_core.conditions import CONDITIONS, FINDING_CONDITIONS, Condition
from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.soft_labels import (
    Method,
    SoftLabels,
    SoftLabelSettings,
    assign_folds,
    fold_codes,
    make_soft_labels,
)

C = Condition
WIDTH = len(CONDITIONS)
# Devices are never denied; the fractures of these images are hardly to be seen.
DEVICES, FRACTURE = CONDITIONS.index(C.SUPPORT_DEVICES), CONDITIONS.index(C.FRACTURE)
HARDLY = 0.15
QUICK = SoftLabelSettings(resamples=100)
# Without parents and children, whose truth would have to follow a hierarchy.
SIMULATED = (C.PNEUMOTHORAX, C.PLEURAL_EFFUSION, C.PLEURAL_OTHER, C.FRACTURE, C.SUPPORT_DEVICES)
COLUMNS = [CONDITIONS.index(c) for c in SIMULATED]
# Reports deny some findings by template and hardly think of others.
DENIED = np.full(WIDTH, 0.4)
DENIED[COLUMNS] = (0.7, 0.5, 0.15, 0.3, 0.0)


@dataclass(frozen=True, eq=False)
class Simulated:
    """features [N, D], truth bool [N, K], codes float32 [N, K]."""

    features: np.ndarray
    truth: np.ndarray
    codes: np.ndarray


def simulated(cases: int, omission: float, seed: int) -> Simulated:
    rng = np.random.default_rng(seed)
    truth = np.zeros((cases, WIDTH), dtype=bool)
    truth[:, COLUMNS] = rng.random((cases, len(COLUMNS))) < 0.2
    truth[:, -1] = ~truth[:, [k for k in COLUMNS if k != DEVICES]].any(axis=1)
    strength = np.full(WIDTH, 1.6)
    strength[FRACTURE] = HARDLY
    features = truth * strength + rng.normal(size=truth.shape)
    codes = np.full(truth.shape, np.nan, dtype=np.float32)
    told = rng.random(truth.shape)
    codes[truth & (told > omission)] = 1
    codes[truth & (told > omission) & (told < omission + 0.08)] = -1
    codes[~truth & (told < DENIED)] = 0
    abnormal = [k for k, c in enumerate(CONDITIONS) if c in FINDING_CONDITIONS and k != DEVICES]
    asserted, hedged = (codes[:, abnormal] == 1).any(axis=1), (codes[:, abnormal] == -1).any(axis=1)
    codes[:, -1] = np.where(asserted, 0, np.where(hedged, -1, 1))
    return Simulated(features, truth, codes)


def fitted(features: np.ndarray, targets: np.ndarray) -> LogisticRegression:
    """Return a logistic regression on targets in [0, 1], each case once as positive and once as negative."""
    known = ~np.isnan(targets)
    both = np.concatenate([features[known], features[known]])
    weight = np.concatenate([targets[known], 1 - targets[known]])
    label = np.repeat([1, 0], known.sum())
    return LogisticRegression().fit(both[weight > 0], label[weight > 0], sample_weight=weight[weight > 0])


def out_of_fold(cases: Simulated, folds: np.ndarray) -> np.ndarray:
    taught, logits = fold_codes(cases.codes), np.zeros(cases.codes.shape)
    for fold in np.unique(folds):
        for k in [*COLUMNS, WIDTH - 1]:
            model = fitted(cases.features[folds != fold], taught[folds != fold, k])
            logits[folds == fold, k] = model.decision_function(cases.features[folds == fold])
    return logits


def folds_of(cases: Simulated) -> np.ndarray:
    return assign_folds([str(number) for number in range(len(cases.codes))])


def areas(cases: Simulated, targets: np.ndarray, unseen: Simulated) -> tuple[np.ndarray, float]:
    """Return the area under the ROC curve of each finding, and the micro area of all but the hardly seen one."""
    columns = [*COLUMNS, WIDTH - 1]
    scores = np.array([fitted(cases.features, targets[:, k]).decision_function(unseen.features) for k in columns])
    truth = unseen.truth[:, columns].T
    each = [roc_auc_score(of_one, score) for of_one, score in zip(truth, scores, strict=True)]
    seen = np.array([k != FRACTURE for k in columns])
    return np.array(each[:-1]), float(roc_auc_score(truth[seen].ravel(), scores[seen].ravel()))


def merged(soft: SoftLabels) -> np.ndarray:
    sure = np.where(soft.codes == -1, np.nan, soft.codes)
    return np.where(np.isnan(soft.targets), sure, soft.targets)


@pytest.fixture(scope="module", params=[0.12, 0.4])
def predicted(request):
    cases = simulated(1500, request.param, seed=1)
    return cases, out_of_fold(cases, folds_of(cases))


@pytest.fixture(scope="module")
def case(predicted):
    cases, logits = predicted
    return cases, make_soft_labels(logits, cases.codes, folds_of(cases), settings=QUICK)


def test_soft_labels_move_a_classifier_towards_that_of_the_truth(case):
    cases, soft = case
    unseen = simulated(4000, 0.1, seed=2)
    _, of_truth = areas(cases, cases.truth.astype(float), unseen)
    each_of_reports, of_reports = areas(cases, fold_codes(cases.codes), unseen)
    each_of_soft, of_soft = areas(cases, merged(soft), unseen)
    assert of_reports < of_soft < of_truth
    assert of_soft - of_reports > 0.4 * (of_truth - of_reports)
    # What is hardly seen keeps the classifier of the reports; of the others none loses more than chance would have it.
    assert each_of_soft[COLUMNS.index(FRACTURE)] == each_of_reports[COLUMNS.index(FRACTURE)]
    assert (each_of_soft > each_of_reports - 0.002).all()


def test_a_poorly_learned_condition_is_left_as_the_report_has_it(case):
    cases, soft = case
    assert soft.records[FRACTURE].method is Method.NONE
    assert "under 0.7" in soft.records[FRACTURE].reason
    assert np.isnan(soft.targets[:, FRACTURE]).all()
    np.testing.assert_array_equal(soft.codes[:, FRACTURE], cases.codes[:, FRACTURE])


def test_what_is_filled_holds_as_often_as_it_says(case):
    cases, soft = case
    for k in COLUMNS:
        soft_ones = ~np.isnan(soft.targets[:, k])
        if k not in (FRACTURE, DEVICES):
            left_out = np.isnan(cases.codes[:, k])
            assert soft.records[k].method is Method.SHIFT
            assert soft.records[k].share_left_out == pytest.approx(cases.truth[left_out, k].mean(), abs=0.06)
            assert soft.records[k].filled == soft_ones.sum() == (left_out | (cases.codes[:, k] == -1)).sum()
        if soft_ones.any():
            assert roc_auc_score(cases.truth[soft_ones, k], soft.targets[soft_ones, k]) > 0.8


def test_what_nobody_denies_is_filled_by_elkan_and_noto(case):
    cases, soft = case
    record = soft.records[DEVICES]
    assert record.method is Method.ELKAN_NOTO
    named = cases.truth[:, DEVICES] & (cases.codes[:, DEVICES] == 1)
    # Too small by as much as images leave open, never too large.
    assert record.label_frequency < named.sum() / cases.truth[:, DEVICES].sum()


def test_no_finding_is_as_sure_as_silence(case):
    cases, soft = case
    silent = cases.codes[:, -1] != 0
    assert soft.records[-1].method is Method.PRODUCT
    said = merged(soft)
    assert np.isfinite(said[silent, -1]).all()
    others = [k for k in COLUMNS if k != DEVICES]
    assert (said[silent, -1] <= 1 - np.nan_to_num(said[silent][:, others]).max(axis=1) + 1e-6).all()
    asserted = cases.codes[:, -1] == 1
    error = said[asserted, -1].mean() - cases.truth[asserted, -1].mean()
    assert abs(error) < 1 - cases.truth[asserted, -1].mean()
    assert (soft.codes[~silent, -1] == 0).all()


def test_a_target_is_soft_or_sure_and_never_both(case):
    _, soft = case
    assert not (~np.isnan(soft.targets) & ~np.isnan(soft.codes)).any()
    assert soft.targets.dtype == soft.codes.dtype == np.float32
    known = soft.targets[~np.isnan(soft.targets)]
    assert ((known >= 0) & (known <= 1)).all()


def test_no_finding_stays_as_read_where_it_is_not_to_be_softened(case):
    cases, _ = case
    settings = SoftLabelSettings(resamples=10, soften_no_finding=False)
    soft = make_soft_labels(np.zeros(cases.codes.shape), cases.codes, folds_of(cases), settings=settings)
    np.testing.assert_array_equal(soft.codes[:, -1], cases.codes[:, -1])


def test_without_denials_and_without_assertions_nothing_is_filled():
    codes = np.full((60, WIDTH), np.nan, dtype=np.float32)
    soft = make_soft_labels(np.zeros((60, WIDTH)), codes, np.arange(60) % 5)
    assert np.isnan(soft.targets).all()
    assert {record.method for record in soft.records} == {Method.NONE}
    assert "0 reports of one class" in soft.records[0].reason


def test_an_association_of_nothing_changes_nothing(predicted, case):
    (cases, logits), (_, soft) = predicted, case
    table = np.random.default_rng(0).normal(size=(WIDTH, WIDTH))
    told = make_soft_labels(logits, cases.codes, folds_of(cases), settings=QUICK, associations=table)
    assert told.prior is not None
    assert told.prior.strength == 0
    np.testing.assert_array_equal(told.targets, soft.targets)


def test_logits_that_do_not_fit_are_refused():
    codes = np.full((10, WIDTH), np.nan, dtype=np.float32)
    folds = np.arange(10) % 2
    with pytest.raises(DistillationError, match="do not fit"):
        make_soft_labels(np.zeros((9, WIDTH)), codes, folds)
    with pytest.raises(DistillationError, match="10 of 140 out-of-fold logits are missing"):
        make_soft_labels(np.where(np.arange(WIDTH) == 3, np.nan, np.zeros((10, 1))), codes, folds)
