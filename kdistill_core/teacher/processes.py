"""Several processes that write side by side, as ``accelerate launch`` or ``torchrun`` starts them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from kdistill_core.teacher.store import Share

Kind = TypeVar("Kind")

# One share may be done days before the last. A process that dies is noticed by the launcher, which ends the others.
_LONGEST_WAIT = timedelta(days=30)


def _alone(value: Any) -> list[Any]:
    return [value]


@dataclass(frozen=True)
class Processes:
    """This process among those of a run. local_rank: its number on its computer, which picks its GPU."""

    share: Share = field(default_factory=Share)
    local_rank: int = 0
    exchange: Callable[[Any], list[Any]] = _alone

    @property
    def is_first(self) -> bool:
        return self.share.rank == 0

    def gather(self, value: Kind) -> list[Kind]:
        """Return what each process gives, in order of rank; waits until all have come to this point."""
        return self.exchange(value)


@contextmanager
def launched_processes() -> Iterator[Processes]:
    """Join the other processes that the launcher started; there are none where no launcher was used."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Processes()
        return
    # Both take seconds to import, and a single process needs neither.
    import torch.distributed
    from accelerate import PartialState

    # Only small messages pass between the processes: over gloo they need no GPU and wait as long as they have to.
    state = PartialState(cpu=True, timeout=_LONGEST_WAIT)

    def exchange(value: Any) -> list[Any]:
        gathered: list[Any] = [None] * state.num_processes
        torch.distributed.all_gather_object(gathered, value)
        return gathered

    yield Processes(Share(state.process_index, state.num_processes), state.local_process_index, exchange)
    # Not after a fault: the others would be waited for, and the launcher ends them.
    state.destroy_process_group()
