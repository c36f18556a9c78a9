"""What the terms were since the last report: raw and weighted, as means over steps, micro-batches and processes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import torch
from torch import Tensor

from kdistill_core.distillation.losses import Term
from kdistill_core.distillation.processes import process_count, summed


class TermLog:
    """Collects terms, without asking the device for their values before a report."""

    def __init__(self) -> None:
        self._raw: dict[str, list[Tensor]] = defaultdict(list)
        self._weighted: dict[str, list[Tensor]] = defaultdict(list)
        self._steps: dict[str, float] = defaultdict(float)

    def add(
        self, terms: Mapping[str, Term], shares: Mapping[str, float], weights: Mapping[str, float], batches: int
    ) -> None:
        """Add the terms of one micro-batch of ``batches`` a step; see :func:`.averaging.shares_of`."""
        for name, term in terms.items():
            value = term.value.detach().float() * (shares[name] / (batches * process_count()))
            self._raw[name].append(value)
            self._weighted[name].append(value * weights[name])
            self._steps[name] += 1 / batches

    def report(self) -> dict[str, float]:
        """Return ``name/raw`` and ``name/weighted`` of every term and forget them; to be asked in all processes."""
        said: dict[str, float] = {}
        for name in sorted(self._raw):
            sums = torch.stack([torch.stack(values[name]).sum() for values in (self._raw, self._weighted)])
            raw, weighted = (summed(sums) / self._steps[name]).tolist()
            said |= {f"{name}/raw": raw, f"{name}/weighted": weighted}
        for kept in (self._raw, self._weighted, self._steps):
            kept.clear()
        return said
