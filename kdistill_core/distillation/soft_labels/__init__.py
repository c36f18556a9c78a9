"""Soft labels for what a report leaves out or leaves open: positive-unlabeled learning behind a quality gate.

In: out-of-fold logits of a classifier and what each report says. Out: targets in [0, 1], or NaN, and why.
"""

from __future__ import annotations

from kdistill_core.distillation.soft_labels.associations import AssociationPrior, cooccurrence_log_odds
from kdistill_core.distillation.soft_labels.calibration import CalibrationKind
from kdistill_core.distillation.soft_labels.folds import assign_folds
from kdistill_core.distillation.soft_labels.hierarchy import fold_codes, with_consequences
from kdistill_core.distillation.soft_labels.making import (
    ConditionRecord,
    Method,
    SoftLabels,
    SoftLabelSettings,
    make_soft_labels,
)

__all__ = [
    "AssociationPrior",
    "CalibrationKind",
    "ConditionRecord",
    "Method",
    "SoftLabelSettings",
    "SoftLabels",
    "assign_folds",
    "cooccurrence_log_odds",
    "fold_codes",
    "make_soft_labels",
    "with_consequences",
]
