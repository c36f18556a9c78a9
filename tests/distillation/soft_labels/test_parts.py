"""Each part of the soft labels against numbers worked by hand, or another library."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.metrics import roc_auc_score

from kdistill_core.conditions import CONDITIONS, Condition
from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.soft_labels import assign_folds, cooccurrence_log_odds, fold_codes, with_consequences
from kdistill_core.distillation.soft_labels.associations import centered, evidence, fit_strength
from kdistill_core.distillation.soft_labels.calibration import CalibrationKind, calibrated_log_odds
from kdistill_core.distillation.soft_labels.hierarchy import consistent, nothing_found
from kdistill_core.distillation.soft_labels.quality import ranking_quality
from kdistill_core.distillation.soft_labels.unlabeled import (
    label_frequency,
    shifted_posterior,
    shifted_prior,
    unlabeled_posterior,
)

C = Condition
NAN = float("nan")


def at(condition: Condition) -> int:
    return CONDITIONS.index(condition)


def codes(**said: float) -> np.ndarray:
    row = np.full(len(CONDITIONS), NAN, dtype=np.float32)
    for name, code in said.items():
        row[at(C[name])] = code
    return row[None]


def test_elkan_and_noto_by_hand():
    # Positives are mentioned in c = (0.8 + 0.6 + 0.7) / 3 = 0.7 of cases.
    assert label_frequency(np.array([0.8, 0.6, 0.7])) == pytest.approx(0.7)
    # g = 0.35: p(y | x) = 0.35 / 0.7 = 1/2, of which 0.3 * 1/2 = 0.15 are left out, beside 1/2 negatives: 0.15 / 0.65.
    # g = 0.07: p(y | x) = 0.1, of which 0.03 are left out, beside 0.9: 0.03 / 0.93.
    posterior = unlabeled_posterior(np.array([0.35, 0.07, 0.7, 0.9]), 0.7)
    np.testing.assert_allclose(posterior, [0.15 / 0.65, 0.03 / 0.93, 1, 1])


def test_the_share_of_positives_by_hand():
    # x is 1 in 3/4 of positives and 1/4 of negatives: the ratios are 3 and 1/3. In 5 of 8 unlabeled cases x is 1, which
    # is 3/4 s + 1/4 (1 - s) = 5/8 at s = 3/4.
    ratios = np.log([3.0] * 5 + [1 / 3] * 3)
    assert shifted_prior(ratios) == pytest.approx(0.75)
    # At even odds the posterior is 3 to 1 and 1 to 3.
    np.testing.assert_allclose(shifted_posterior(np.log([3, 1 / 3]), 0.5), [0.75, 0.25])
    assert shifted_prior(np.log([1 / 3] * 4)) == 0
    assert shifted_prior(np.log([3.0] * 4)) == 1
    assert shifted_prior(np.array([800.0, -800.0])) == pytest.approx(0.5)


def test_the_share_of_positives_is_the_fixed_point_of_the_em():
    rng = np.random.default_rng(0)
    ratios = np.where(rng.random(4000) < 0.2, rng.normal(0.5, 1, 4000), rng.normal(-0.5, 1, 4000))
    share = 0.5
    for _ in range(3000):
        share = float(expit(ratios + logit(share)).mean())
    assert shifted_prior(ratios) == pytest.approx(share, abs=1e-6)
    assert share == pytest.approx(0.2, abs=0.05)


def test_elkan_and_noto_overfill_where_images_do_not_tell_and_label_shift_does_not():
    rng = np.random.default_rng(1)
    count, prior = 60_000, 0.2
    positive = rng.random(count) < prior
    x = rng.normal(positive * 0.8, 1)
    ratio = 0.8 * x - 0.32
    mentioned = positive & (rng.random(count) < 0.5)
    g = 0.5 * expit(ratio + logit(prior))
    overfilled = unlabeled_posterior(g[~mentioned], label_frequency(g[mentioned])).mean()
    assert overfilled > 2 * positive[~mentioned].mean()
    assert shifted_prior(ratio[~mentioned]) == pytest.approx(positive[~mentioned].mean(), abs=0.02)


def test_quality_is_the_area_of_another_library_and_its_interval_covers_the_truth():
    rng = np.random.default_rng(2)
    labels = (rng.random(300) < 0.3).astype(float)
    scores = np.round(rng.normal(labels, 1), 1)
    labels[:20] = NAN
    quality = ranking_quality(scores, labels, np.arange(300) // 2, resamples=400)
    assert quality.auc == pytest.approx(roc_auc_score(labels[20:], scores[20:]))
    assert (quality.positives, quality.negatives) == (int((labels == 1).sum()), int((labels == 0).sum()))
    # Phi(1 / sqrt 2), the area of two normal distributions one deviation apart.
    assert quality.low < 0.760 < quality.high
    assert 0.05 < quality.high - quality.low < 0.2


@pytest.mark.parametrize("kind", list(CalibrationKind))
def test_log_odds_are_those_that_made_the_labels(kind):
    rng = np.random.default_rng(3)
    truth = rng.normal(0, 2, 6000)
    labels = (rng.random(6000) < expit(truth)).astype(float)
    labels[rng.random(6000) < 0.2] = NAN
    found = calibrated_log_odds(3 * truth + 5, labels, np.arange(6000) % 5, kind)
    assert np.abs(expit(found) - expit(truth)).mean() < 0.02


def test_a_fold_is_calibrated_on_the_labels_of_the_others():
    rng = np.random.default_rng(4)
    logits, folds = rng.normal(size=400), np.arange(400) % 4
    labels = (rng.random(400) < expit(logits)).astype(float)
    spoiled = labels.copy()
    spoiled[folds == 2] = 1 - spoiled[folds == 2]
    before, after = calibrated_log_odds(logits, labels, folds), calibrated_log_odds(logits, spoiled, folds)
    np.testing.assert_array_equal(before[folds == 2], after[folds == 2])
    assert not np.allclose(before[folds == 1], after[folds == 1])


def test_patients_are_not_split_and_folds_are_even():
    groups = [f"patient {number // 3}" for number in range(90)]
    folds = assign_folds(groups, 5)
    assert all(len(set(folds[start : start + 3])) == 1 for start in range(0, 90, 3))
    assert np.bincount(folds).tolist() == [18] * 5
    with pytest.raises(DistillationError, match="cannot be split"):
        assign_folds(["a", "a"], 2)


def test_what_is_said_has_its_consequences():
    known = with_consequences(codes(PNEUMONIA=1, LUNG_OPACITY=-1))[0]
    assert known[at(C.CONSOLIDATION)] == known[at(C.LUNG_OPACITY)] == 1
    assert np.isnan(known[at(C.EDEMA)])
    known = with_consequences(codes(LUNG_OPACITY=0, EDEMA=-1))[0]
    assert known[at(C.ATELECTASIS)] == known[at(C.PNEUMONIA)] == 0
    assert known[at(C.EDEMA)] == -1
    assert np.isnan(known[at(C.CARDIOMEGALY)])


def test_fold_classifiers_see_no_hedge_and_denials_of_what_is_never_denied():
    said = np.concatenate([codes(EDEMA=-1, SUPPORT_DEVICES=1), *[codes(EDEMA=0)] * 30])
    taught = fold_codes(said)
    assert np.isnan(taught[0, at(C.EDEMA)])
    assert (taught[1:, at(C.SUPPORT_DEVICES)] == 0).all()
    assert (taught[1:, at(C.EDEMA)] == 0).all()


def test_no_child_is_likelier_than_its_parent():
    targets = codes(PNEUMONIA=0.75, CONSOLIDATION=0.25, LUNG_OPACITY=0.125, CARDIOMEGALY=0.5).astype(np.float64)
    values = targets.copy()
    values[0, at(C.ENLARGED_CARDIOMEDIASTINUM)] = 0
    found = consistent(targets, values)[0]
    assert found[at(C.CONSOLIDATION)] == found[at(C.LUNG_OPACITY)] == found[at(C.PNEUMONIA)] == 0.75
    assert found[at(C.CARDIOMEGALY)] == 0
    assert np.isnan(found[at(C.ENLARGED_CARDIOMEDIASTINUM)])


def test_nothing_is_found_where_nothing_is_likely():
    values = codes(EDEMA=0.5, FRACTURE=0.2, SUPPORT_DEVICES=1).astype(np.float64)
    # Devices do not count: 0.5 * 0.8.
    assert nothing_found(values)[0] == pytest.approx(0.4)


def test_log_odds_of_going_together_by_hand():
    present = np.zeros((10, 3), dtype=bool)
    present[:4, 0] = present[:3, 1] = True
    # With both 3, the first alone 1, the second alone 0, neither 6: 3.5 * 6.5 / (1.5 * 0.5).
    assert cooccurrence_log_odds(present)[0, 1] == pytest.approx(np.log(3.5 * 6.5 / 0.75))
    assert np.isnan(cooccurrence_log_odds(present)[1, 1])


def test_evidence_comes_from_what_is_asserted_of_unrelated_conditions():
    table = np.ones((len(CONDITIONS), len(CONDITIONS)))
    moved = evidence(codes(EDEMA=1, FRACTURE=1, PNEUMOTHORAX=0), table)[0]
    assert moved[at(C.PLEURAL_EFFUSION)] == 2
    # Lung Opacity is a parent of Edema, and no condition is evidence for itself.
    assert moved[at(C.LUNG_OPACITY)] == moved[at(C.EDEMA)] == 1
    assert moved[at(C.NO_FINDING)] == 0


def test_associations_are_trusted_as_far_as_they_help():
    rng = np.random.default_rng(5)
    cases, width = 2000, len(CONDITIONS)
    moved, log_odds = rng.normal(size=(2, cases, width))
    labels = (rng.random((cases, width)) < expit(log_odds + 0.5 * moved)).astype(float)
    labels[rng.random(labels.shape) < 0.3] = NAN
    groups = np.arange(cases)
    helpful = fit_strength(log_odds, labels, centered(moved, labels), groups)
    assert helpful.strength == 0.5
    assert helpful.low > 0
    useless = fit_strength(log_odds, labels, centered(rng.normal(size=moved.shape), labels), groups)
    assert useless.strength == 0
    assert fit_strength(log_odds, labels, centered(-moved, labels), groups).strength == 0
