"""Gradient checkpointing that leaves batch statistics as they would be without it.

A checkpointed layer runs twice in training; batch normalization would count the same batch twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from kdistill_core.student.errors import StudentError


def without_moving_statistics(checkpoint: Callable[..., Any], module: nn.Module) -> Callable[..., Any]:
    """Return ``checkpoint``, as transformers hands it on, such that recomputing keeps ``module``'s running statistics.

    Raises StudentError where it is of the reentrant kind and there are statistics to keep.
    """
    norms = [part for part in module.modules() if isinstance(part, _BatchNorm)]
    if not norms:
        return checkpoint
    if getattr(checkpoint, "keywords", {}).get("use_reentrant"):
        raise StudentError(
            "Reentrant checkpointing counts every batch twice in the backbone's batch normalization.",
            "Set use_reentrant to false, which is the default.",
        )

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _held(norms)

    return partial(checkpoint, context_fn=contexts)


@contextmanager
def _held(norms: list[_BatchNorm]) -> Iterator[None]:
    # A momentum of 0 leaves the averages as they are, and the same tensors are kept for the gradient.
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    try:
        for norm in norms:
            norm.momentum, norm.num_batches_tracked = 0.0, None
        yield
    finally:
        for norm, (momentum, counted) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, counted
