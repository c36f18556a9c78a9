"""A schedule that goes by the clock."""

from __future__ import annotations

import pytest
import torch

from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.schedule import Schedule, Stage, frozen_at
from kdistill_core.distillation.trainer import ClockScheduler

STAGES = (
    Stage("heads", 0.5, 1e-3, {"classification": 1.0}, final_share=0.1),
    Stage("all", 0.5, 1e-4, {"generation": 1.0}, ("vision",)),
)


def test_stages_follow_each_other_by_their_shares() -> None:
    schedule = Schedule(STAGES, minutes=10)
    assert schedule.at(0) == (0, 0)
    assert schedule.at(4) == (0, pytest.approx(0.8))
    assert schedule.at(7.5) == (1, pytest.approx(0.5))
    assert schedule.at(99) == (1, 1.0)


def test_the_rate_warms_up_and_falls_to_the_share_asked_for() -> None:
    schedule = Schedule(STAGES, minutes=10)
    assert schedule.learning_rate(0) < 0.1 * 1e-3
    assert schedule.learning_rate(0.25) == pytest.approx(1e-3, rel=0.02)
    assert schedule.learning_rate(2.5) == pytest.approx(1e-3 * 0.55, rel=1e-3)  # halfway between 1 and 0.1
    assert schedule.learning_rate(4.999) == pytest.approx(1e-4, rel=0.01)


def test_shares_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(DistillationError, match="add up"):
        Schedule(STAGES[:1], minutes=10)


def test_frozen_modules_are_named_by_prefix() -> None:
    names = ["vision.fuse.0.weight", "projector.0.weight"]
    assert frozen_at(STAGES[1], names) == {"vision.fuse.0.weight"}
    assert frozen_at(STAGES[0], names) == frozenset()


def test_an_interrupted_clock_goes_on_where_it_stood() -> None:
    seconds = iter([0.0, 60.0, 120.0, 5000.0, 5060.0])
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    first = ClockScheduler(optimizer, Schedule(STAGES, minutes=10), clock=lambda: next(seconds))
    optimizer.step()
    first.step()
    first.step()
    assert first.minutes == pytest.approx(2)
    again = ClockScheduler(optimizer, Schedule(STAGES, minutes=10), clock=lambda: next(seconds))
    again.load_state_dict(first.state_dict())
    again.step()
    # The pause between the two runs does not count.
    assert again.minutes == pytest.approx(3)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(Schedule(STAGES, 10).learning_rate(3))
