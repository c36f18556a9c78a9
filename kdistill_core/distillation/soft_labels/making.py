"""From out-of-fold logits and what reports say to soft labels, condition by condition, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from kdistill_core.conditions import CONDITIONS, Condition
from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.reading import LEAST_DENIED, blank_as_absent
from kdistill_core.distillation.soft_labels.associations import AssociationPrior, centered, evidence, fit_strength
from kdistill_core.distillation.soft_labels.calibration import CalibrationKind, calibrated_log_odds
from kdistill_core.distillation.soft_labels.hierarchy import NO_FINDING, consistent, nothing_found, with_consequences
from kdistill_core.distillation.soft_labels.quality import Quality, ranking_quality
from kdistill_core.distillation.soft_labels.unlabeled import (
    label_frequency,
    shifted_posterior,
    shifted_prior,
    unlabeled_posterior,
)

Floats = NDArray[np.float64]


class Method(StrEnum):
    """How a condition was filled."""

    SHIFT = "label shift"  # asserted against denied, then the share of positives among the others (Saerens 2002)
    ELKAN_NOTO = "Elkan and Noto"  # asserted against left out, for what hardly any report denies (KDD 2008)
    PRODUCT = "no other finding"  # No Finding: the chance that nothing else is there
    NONE = "not filled"


@dataclass(frozen=True)
class SoftLabelSettings:
    """When a condition is filled, and how.

    least_auc: the lower end of the interval of its out-of-fold AUC must reach this; 0.7 is where Hosmer and Lemeshow
    (Applied Logistic Regression, 2000) begin to call discrimination acceptable. least_mentions: of each class, below
    which no calibration is tried. soften_no_finding: make it as sure as the silence it is asserted by.
    """

    least_auc: float = 0.7
    least_mentions: int = LEAST_DENIED
    soften_no_finding: bool = True
    calibration: CalibrationKind = CalibrationKind.PLATT
    resamples: int = 500
    seed: int = 0


@dataclass(frozen=True)
class ConditionRecord:
    """Why a condition is filled or not.

    quality: of its out-of-fold logits, None where too little is mentioned. share_left_out, share_hedged: estimated
    share of positives among what is left out and what is hedged. label_frequency: c of Elkan and Noto. filled: cases.
    """

    condition: Condition
    method: Method
    reason: str
    quality: Quality | None = None
    share_left_out: float | None = None
    share_hedged: float | None = None
    label_frequency: float | None = None
    filled: int = 0


@dataclass(frozen=True, eq=False)
class SoftLabels:
    """Targets for a training set.

    codes: float32 [N, K] of 1, 0, -1 (hedged) or NaN: what to give as ``condition_labels``. It is the reading with its
    consequences, blank wherever ``targets`` has a number. targets: float32 [N, K] in [0, 1] or NaN: ``soft_labels``.
    records: of each condition, in the order of ``CONDITIONS``. prior: of the associations, None where none were given.
    """

    codes: NDArray[np.float32]
    targets: NDArray[np.float32]
    records: tuple[ConditionRecord, ...]
    prior: AssociationPrior | None = None


@dataclass(frozen=True, eq=False)
class _Column:
    """One condition: log-odds of ``labels`` [N] at every case; labels: 1, 0 or NaN; method NONE says why not."""

    method: Method
    reason: str
    quality: Quality | None
    labels: Floats
    log_odds: Floats


def make_soft_labels(
    logits: NDArray[np.floating],
    codes: NDArray[np.floating],
    folds: NDArray[np.int64],
    groups: NDArray[np.int64] | None = None,
    *,
    settings: SoftLabelSettings | None = None,
    associations: NDArray[np.floating] | None = None,
) -> SoftLabels:
    """Return soft labels for what reports leave out and hedge.

    logits: [N, K], of each case by a classifier that never saw its patient, trained on
    :func:`.hierarchy.fold_codes`; of any scale, calibrated here. codes: [N, K] as read, 1, 0, -1 (hedged) or NaN (left
    out), columns in the order of ``CONDITIONS``. folds: int64 [N] (:func:`.folds.assign_folds`). groups: int64 [N], the
    patient of each case, by default each its own. associations: [K, K] of log-odds by which an asserted condition (row)
    speaks for another (column). No Finding is filled also where it is asserted: it is so by silence. Raises
    DistillationError for shapes that do not fit and logits that are not finite.
    """
    settings = settings or SoftLabelSettings()
    _check(logits, codes, folds, groups)
    patients = np.arange(len(codes)) if groups is None else groups
    scores, known = logits.astype(np.float64), with_consequences(codes).astype(np.float64)
    columns = [
        _column(place, scores[:, place], known[:, place], folds, patients, settings) for place in range(len(CONDITIONS))
    ]
    moved, prior = _moved(columns, codes, associations, patients, settings.seed)
    targets = np.full(known.shape, np.nan)
    records = []
    for place, column in enumerate(columns):
        targets[:, place], record = _filled(CONDITIONS[place], column, known[:, place], moved[:, place])
        records.append(record)
    targets = consistent(targets, np.where(np.isnan(targets), _sure(known), targets))
    if settings.soften_no_finding:
        records[NO_FINDING] = _fill_no_finding(targets, known)
    given = np.where(np.isnan(targets), blank_as_absent(known), np.nan)
    return SoftLabels(given.astype(np.float32), targets.astype(np.float32), tuple(records), prior)


def _check(
    logits: NDArray[np.floating],
    codes: NDArray[np.floating],
    folds: NDArray[np.int64],
    groups: NDArray[np.int64] | None,
) -> None:
    cases = len(codes)
    fits = codes.shape == (cases, len(CONDITIONS)) == logits.shape and folds.shape == (cases,)
    if not fits or (groups is not None and groups.shape != (cases,)):
        raise DistillationError(
            f"Logits of shape {logits.shape}, codes of {codes.shape} and folds of {folds.shape} do not fit.",
            f"Give {len(CONDITIONS)} columns and a row a case, and a fold and a patient a case.",
        )
    if not np.isfinite(logits).all():
        raise DistillationError(
            f"{int((~np.isfinite(logits)).sum())} of {logits.size} out-of-fold logits are missing or infinite.",
            "Predict every case with the model of its fold.",
        )


def _column(
    place: int,
    scores: Floats,
    known: Floats,
    folds: NDArray[np.int64],
    patients: NDArray[np.int64],
    settings: SoftLabelSettings,
) -> _Column:
    unknown = np.full(len(known), np.nan)
    if place == NO_FINDING:
        return _Column(Method.NONE, "left as read", None, unknown, unknown)
    labels, method = np.where(known == -1, np.nan, known), Method.SHIFT
    if (labels == 0).sum() < settings.least_mentions:
        labels, method = np.where(np.isnan(known), 0, labels), Method.ELKAN_NOTO
    fewest = min(int((labels == 1).sum()), int((labels == 0).sum()))
    if fewest < settings.least_mentions:
        reason = f"only {fewest} reports of one class, {settings.least_mentions} are needed"
        return _Column(Method.NONE, reason, None, unknown, unknown)
    quality = ranking_quality(scores, labels, patients, settings.resamples, settings.seed)
    if quality.low < settings.least_auc:
        reason = f"out-of-fold AUC {quality.auc:.3f} may be as low as {quality.low:.3f}, under {settings.least_auc:g}"
        return _Column(Method.NONE, reason, quality, unknown, unknown)
    reason = f"out-of-fold AUC {quality.auc:.3f}, at least {quality.low:.3f}"
    log_odds = calibrated_log_odds(scores, labels, folds, settings.calibration)
    return _Column(method, reason, quality, labels, log_odds)


def _moved(
    columns: list[_Column],
    codes: NDArray[np.floating],
    table: NDArray[np.floating] | None,
    patients: NDArray[np.int64],
    seed: int,
) -> tuple[Floats, AssociationPrior | None]:
    if table is None:
        return np.zeros(codes.shape), None
    # What is left out counts as denied for Elkan and Noto: no likelihood of a mention to choose a strength by.
    of_mentions = [
        column.labels if column.method is Method.SHIFT else np.full(len(codes), np.nan) for column in columns
    ]
    labels, log_odds = np.stack(of_mentions, axis=1), np.stack([column.log_odds for column in columns], axis=1)
    moved = centered(evidence(codes, table), labels)
    prior = fit_strength(log_odds, labels, moved, patients, seed)
    return prior.strength * moved, prior


def _filled(condition: Condition, column: _Column, known: Floats, moved: Floats) -> tuple[Floats, ConditionRecord]:
    """Return the soft targets of one condition, NaN where there is none, and their record."""
    target = np.full(len(known), np.nan)
    record = ConditionRecord(condition, column.method, column.reason, column.quality)
    left_out, hedged = np.isnan(known), known == -1
    if column.method is Method.ELKAN_NOTO:
        mentioned = np.asarray(expit(column.log_odds), dtype=np.float64)
        frequency = label_frequency(mentioned[column.labels == 1])
        target[left_out] = unlabeled_posterior(mentioned[left_out], frequency)
        share = float(target[left_out].mean()) if left_out.any() else None
        record = replace(record, share_left_out=share, label_frequency=frequency)
    if column.method is Method.SHIFT:
        odds_of_mentions = (column.labels == 1).sum() / (column.labels == 0).sum()
        ratios = column.log_odds - np.log(odds_of_mentions) + moved
        record = replace(
            record,
            share_left_out=_fill_group(target, ratios, left_out),
            share_hedged=_fill_group(target, ratios, hedged),
        )
    return target, replace(record, filled=int((~np.isnan(target)).sum()))


def _fill_group(target: Floats, ratios: Floats, group: NDArray[np.bool_]) -> float | None:
    """Put the posterior of the cases in ``group`` into ``target``; return their share of positives, None of no case."""
    if not group.any():
        return None
    share = shifted_prior(ratios[group])
    target[group] = shifted_posterior(ratios[group], share)
    return share


def _fill_no_finding(targets: Floats, known: Floats) -> ConditionRecord:
    """Put the targets of No Finding into ``targets`` and return their record."""
    condition = Condition.NO_FINDING
    others = np.delete(targets, NO_FINDING, axis=1)
    open_ = (known[:, NO_FINDING] != 0) & ~np.isnan(others).all(axis=1)
    if not open_.any():
        return ConditionRecord(condition, Method.NONE, "no other condition is filled")
    values = np.where(np.isnan(targets), _sure(known), targets)
    targets[open_, NO_FINDING] = nothing_found(values[open_])
    share = float(targets[open_, NO_FINDING].mean())
    reason = "it is asserted by silence, so it holds where nothing else is likely"
    return ConditionRecord(condition, Method.PRODUCT, reason, share_left_out=share, filled=int(open_.sum()))


def _sure(known: Floats) -> Floats:
    return np.where(known == -1, np.nan, known)
