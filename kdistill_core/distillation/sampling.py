"""Which case is seen when: a sequence of draws that depends on the seed and the place in it, and on nothing else.

So a training that was interrupted goes on with the very next case, and any number of processes that share the sequence
see the same cases in the same step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from kdistill_core.distillation.batches import Example, draw_seed
from kdistill_core.distillation.errors import DistillationError


def set_weights(sizes: Mapping[str, int], shares: Mapping[str, float]) -> NDArray[np.float64]:
    """Return the probability [N] of each case of sets one after another, so that a set is drawn as often as its share.

    sizes: cases by set, in order. Raises DistillationError for a set without a share, or shares that are all 0.
    """
    missing = sorted(set(sizes) - set(shares))
    if missing or not sum(shares.get(name, 0.0) for name in sizes) > 0 or min(shares.values()) < 0:
        raise DistillationError(
            f"The sets {', '.join(sizes)} are to be drawn by the shares {dict(shares)}.",
            "Give each of them a share that is not negative, and one of them more than 0, in `set_shares`.",
        )
    each = [np.full(size, shares[name] / size) for name, size in sizes.items()]
    return _normalized(np.concatenate(each))


def balanced_weights(labels: NDArray[np.floating], share: float, within: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the probability [N] of each case when a ``share`` of the draws is balanced by condition.

    labels: [N, K], 1 where a condition is present. A balanced draw takes a condition, or that none is present, each
    equally often, and then one of its cases by the weights ``within`` [N]; the other draws follow ``within``. A
    condition that no case has is passed over. Raises DistillationError for a share that is none.
    """
    if not 0 <= share <= 1:
        raise DistillationError(f"The share of balanced draws is {share}.", "Choose `balance` from 0 to 1.")
    present = np.asarray(labels == 1)
    columns = np.column_stack([present, ~present.any(axis=1)]) * np.asarray(within, dtype=np.float64)[:, None]
    sums = columns.sum(axis=0)
    balanced = (columns[:, sums > 0] / sums[sums > 0]).mean(axis=1)
    return (1 - share) * _normalized(within) + share * _normalized(balanced)


class DrawnCases(Dataset[Example]):
    """``count`` draws from ``cases``: by ``weights`` with replacement, or, without weights, each once a pass.

    A case comes with the number of its draw, from which everything random about it can be made again.
    """

    def __init__(
        self,
        cases: Dataset[Example],
        count: int,
        seed: int,
        weights: NDArray[np.floating] | None = None,
    ) -> None:
        self._cases = cases
        self._count = count
        self._seed = seed
        self._size = len(cases)  # type: ignore[arg-type] # torch's Dataset declares no length
        self._weights = None if weights is None else torch.from_numpy(np.asarray(weights, dtype=np.float64))
        if not self._size or (self._weights is not None and len(self._weights) != self._size):
            raise DistillationError(
                f"There are {self._size} cases to train on and {0 if weights is None else len(weights)} weights.",
                "Give at least one case, and a weight for each of them.",
            )
        self._pass = -1
        self._order: Sequence[int] = ()

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, draw: int) -> Example:
        return replace(self._cases[self.case(draw)], draw=draw)

    def case(self, draw: int) -> int:
        """Return which case is drawn at a place of the sequence."""
        number, place = divmod(draw, self._size)
        if number != self._pass:
            generator = torch.Generator().manual_seed(draw_seed(self._seed, number))
            if self._weights is None:
                order = torch.randperm(self._size, generator=generator)
            else:
                order = torch.multinomial(self._weights, self._size, replacement=True, generator=generator)
            self._pass, self._order = number, order.tolist()
        return self._order[place]


def _normalized(weights: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(weights, dtype=np.float64) / np.sum(weights, dtype=np.float64)
