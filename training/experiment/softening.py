"""Soft labels for what the reports of a seed's training cases leave out, from classifiers that never saw the case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdistill_core.distillation.soft_labels import (
    SoftLabels,
    SoftLabelSettings,
    assign_folds,
    fold_codes,
    make_soft_labels,
)
from kdistill_core.student import StudentProcessor
from training.experiment.arms import arm_named
from training.experiment.cases import ExperimentCases
from training.experiment.decoding import condition_logits
from training.experiment.examples import ArmExamples
from training.experiment.fitting import HEADS, Fit, fit, new_student, objective_of, stages_of
from training.experiment.settings import Choice, ExperimentSettings
from training.experiment.targets import ArmTargets, codes_read, empty_targets


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """logits: float32 [N, K], each case's from a classifier of the other folds. folds: int64 [N]."""

    logits: NDArray[np.float32]
    folds: NDArray[np.int64]


def out_of_fold(
    cases: ExperimentCases,
    processor: StudentProcessor,
    settings: ExperimentSettings,
    choice: Choice,
    seed: int,
    out: Path,
    made_with: Mapping[str, Any],
) -> OutOfFold:
    """Return the logits of classifiers of the student's own shape, one a fold, trained on what the reports say.

    Each is trained like the heads of the arm without anything else (b), in as many passes over its cases.
    """
    arm = arm_named("b")
    folds = assign_folds(cases.patients, settings.labels.folds, seed)
    labels = fold_codes(codes_read(cases))
    (stage,) = stages_of(arm, HEADS, settings, choice)
    stage = replace(stage, steps=max(1, round(stage.steps * (1 - 1 / settings.labels.folds))))
    logits = np.zeros(labels.shape, dtype=np.float32)
    for fold in range(settings.labels.folds):
        rest, own = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        student = new_student(settings, processor, seed, settings.student.feature_size)
        targets = ArmTargets(labels[rest], None, empty_targets(len(rest)))
        part = Fit(HEADS, (stage,), objective_of(arm, settings, choice), seed, made_with)
        fit(student, ArmExamples(cases.part(rest), targets), processor, settings, part, out / f"fold-{fold}")
        logits[own] = condition_logits(student, processor, cases.part(own).pixels)
    return OutOfFold(logits, folds)


def soft_labels_of(cases: ExperimentCases, predicted: OutOfFold, settings: ExperimentSettings) -> SoftLabels:
    """Return the soft labels that both arms with soft labels get."""
    return make_soft_labels(
        predicted.logits,
        codes_read(cases),
        predicted.folds,
        settings=SoftLabelSettings(least_auc=settings.labels.least_auc),
    )
