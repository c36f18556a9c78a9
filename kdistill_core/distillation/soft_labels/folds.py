"""Folds by patient, so that a case is predicted by a model that saw neither it nor another image of the patient."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kdistill_core.distillation.errors import DistillationError


def assign_folds(groups: Sequence[str], count: int = 5, seed: int = 0) -> NDArray[np.int64]:
    """Return the fold of each case, int64 [N] from 0 to ``count`` - 1; cases of one patient share a fold.

    groups: the patient of each case. Folds hold equally many patients but for one. Raises DistillationError for fewer
    than two folds, or fewer patients than folds.
    """
    names = list(dict.fromkeys(groups))
    if not 2 <= count <= len(names):
        raise DistillationError(
            f"{len(names)} patients cannot be split into {count} folds.",
            "Choose at least 2 folds.",
        )
    order = np.random.default_rng(seed).permutation(len(names))
    fold_of = {names[patient]: place % count for place, patient in enumerate(order)}
    return np.array([fold_of[group] for group in groups], dtype=np.int64)
