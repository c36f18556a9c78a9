"""What the processes of one training share: tensors gathered and summed across them, with gradients.

A process that trains alone gets its own tensors back. The gradient of a gathered or summed tensor is that of the sum
of all processes' losses; DistributedDataParallel and FSDP average it, so that a loss over what was gathered, computed
alike in every process, teaches as it would in a single one.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd import Function


def process_count() -> int:
    """Return how many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def of_process() -> str:
    """Return what tells the files of several processes apart: empty for one that trains alone."""
    return f"-process-{dist.get_rank()}" if process_count() > 1 else ""


def gathered(tensor: Tensor) -> Tensor:
    """Return the rows of every process's ``tensor``, in the order of the processes; of one shape in all of them."""
    return tensor if process_count() == 1 else _Gather.apply(tensor)  # type: ignore[no-untyped-call]


def summed(tensor: Tensor) -> Tensor:
    """Return the sum of every process's ``tensor``, of one shape in all of them."""
    return tensor if process_count() == 1 else _Sum.apply(tensor)  # type: ignore[no-untyped-call]


def of_first_process(value: float) -> float:
    """Return the first process's ``value``, so that all processes decide alike."""
    if process_count() == 1:
        return value
    # Gloo and NCCL each know one device; objects go by whichever there is.
    held = [value]
    dist.broadcast_object_list(held)
    return held[0]


class _Gather(Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        ctx.rows = len(tensor)
        # Gloo moves no booleans.
        moved = (tensor.byte() if tensor.dtype == torch.bool else tensor).contiguous()
        parts = [torch.empty_like(moved) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, moved)
        return torch.cat(parts).to(tensor.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        everyone = gradient.contiguous()
        dist.all_reduce(everyone)
        start = dist.get_rank() * ctx.rows
        return everyone[start : start + ctx.rows]


class _Sum(Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        del ctx  # nothing to remember
        total = tensor.detach().clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        del ctx
        everyone = gradient.contiguous().clone()
        dist.all_reduce(everyone)
        return everyone
