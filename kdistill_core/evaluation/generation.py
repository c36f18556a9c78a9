"""F1 of what generated texts assert, as the built-in rules label them, against known labels: for training's own use.

Convention: positive only. A condition counts as said where the rules label the text positive; uncertain counts as not
said. Both sides are closed under CheXpert's hierarchy (consolidation asserts an opacity). Macro is over the conditions
that are present or said. Unit: image. What is published of a model comes from :mod:`.generation_scores`, which has both
conventions and the macro average of the literature.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kdistill_core.conditions import CONDITIONS, State
from kdistill_core.evaluation.clinical_f1 import rates
from kdistill_core.labeling import label_report, with_implied


def asserted(texts: Sequence[str]) -> NDArray[np.bool_]:
    """Return bool [n, 14], whether each text asserts each condition, in the order of ``CONDITIONS``."""
    said = np.zeros((len(texts), len(CONDITIONS)), dtype=bool)
    for row, text in enumerate(texts):
        said[row] = [finding.state is State.POSITIVE for finding in with_implied(label_report(text))]
    return said


def counts(said: NDArray[np.bool_], labels: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return int64 [n, 14, 3], hits, false alarms and misses of each case and condition; blank labels count nothing.

    said: bool [n, K]; labels: [n, K] of 1, 0 or NaN.
    """
    known, present = ~np.isnan(labels), np.nan_to_num(labels) > 0.5
    return np.stack([said & present & known, said & ~present & known, ~said & present & known], axis=-1).astype(
        np.int64
    )


def micro_f1(tally: NDArray[np.int64]) -> float:
    """Return F1 over all conditions pooled, from ``counts`` of some cases; 0 where nothing is present or said."""
    return float(_f1(tally.sum((0, 1))))


def macro_f1(tally: NDArray[np.int64]) -> float:
    """Return the mean F1 of the conditions that are present or said in some case."""
    used = tally.sum((0, 2)) > 0
    return float(np.mean(f1_by_condition(tally)[used])) if used.any() else 0.0


def f1_by_condition(tally: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return float64 [K]; 0 for a condition that is neither present nor said."""
    return _f1(tally.sum(0))


def _f1(counted: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.nan_to_num(rates(counted.astype(np.float64))[..., 2])
