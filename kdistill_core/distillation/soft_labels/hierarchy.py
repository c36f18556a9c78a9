"""What follows from what is said, by the label hierarchy (Irvin et al., AAAI 2019, figure 1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kdistill_core.conditions import CONDITIONS, Condition
from kdistill_core.distillation.reading import blank_as_absent
from kdistill_core.labeling import IMPLIED

_PLACE = {condition: place for place, condition in enumerate(CONDITIONS)}
# (child, parent), every pair in which one implies the other, at whatever distance.
PAIRS = tuple((_PLACE[child], _PLACE[parent]) for child, parents in IMPLIED.items() for parent in parents)
NO_FINDING = _PLACE[Condition.NO_FINDING]
# What No Finding speaks of: everything but itself and devices.
ABNORMAL = tuple(
    place for condition, place in _PLACE.items() if condition not in (Condition.NO_FINDING, Condition.SUPPORT_DEVICES)
)


def with_consequences(codes: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return ``codes`` with what follows from what is said, float32 [N, K].

    codes: [N, K] of 1, 0, -1 (hedged) or NaN (left out), columns in the order of ``CONDITIONS``. A parent of what is
    asserted is there, whatever else is said of it; a child of what is denied is not, where nothing is said of it.
    """
    known = np.array(codes, dtype=np.float32)
    for child, parent in PAIRS:
        known[codes[:, child] == 1, parent] = 1
    for child, parent in PAIRS:
        known[(known[:, parent] == 0) & np.isnan(known[:, child]), child] = 0
    return known


def fold_codes(codes: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return what to train the fold classifiers on, float32 [N, K] of 1, 0 or NaN (masked).

    codes: as read, of every fold. The consequences of what is said are in, hedges are masked, and blanks of conditions
    that hardly any report denies count as absent (:func:`kdistill_core.distillation.reading.blank_as_absent`).
    """
    known = blank_as_absent(with_consequences(codes))
    return np.where(known == -1, np.nan, known).astype(np.float32)


def consistent(targets: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return soft ``targets`` [N, K] in which no child is likelier than its parent, both in [0, 1] or NaN.

    values: [N, K], what is known of the others: 1, 0 or the soft target, NaN where neither. A soft parent is raised to
    its likeliest child; a soft child of a known parent is lowered to it.
    """
    raised, known = targets.copy(), values.copy()
    for child, parent in PAIRS:
        higher = np.fmax(raised[:, parent], known[:, child])
        raised[:, parent] = np.where(np.isnan(targets[:, parent]), np.nan, higher)
        known[:, parent] = np.where(np.isnan(targets[:, parent]), known[:, parent], raised[:, parent])
    for child, parent in PAIRS:
        lower = np.fmin(raised[:, child], known[:, parent])
        raised[:, child] = np.where(np.isnan(targets[:, child]), np.nan, lower)
    return raised


def nothing_found(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the chance that no abnormality is there, [N], at most 1 minus the likeliest one's.

    values: [N, K] in [0, 1]; NaN counts as absent. The abnormalities are taken as independent.
    """
    chance: NDArray[np.float64] = np.prod(1 - np.nan_to_num(values[:, ABNORMAL]), axis=1)
    return chance
