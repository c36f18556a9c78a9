"""A schedule that goes by steps."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from transformers import get_cosine_schedule_with_warmup

from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.schedule import Schedule, Stage, frozen_at

HEADS = Stage("heads", 100, 1e-3, {"classification": 1.0}, warmup=0.0, final_share=0.1)
ALL = Stage("all", 50, 1e-4, {"generation": 1.0}, ("vision",), warmup=0.2)


def test_stages_follow_each_other_by_their_steps() -> None:
    schedule = Schedule((HEADS, ALL))
    assert schedule.steps == 150
    assert [schedule.at(step) for step in (0, 99, 100, 149)] == [(HEADS, 0), (HEADS, 99), (ALL, 0), (ALL, 49)]
    assert schedule.at(150) == (ALL, 50)


def test_a_stage_rises_evenly_and_falls_as_a_cosine_to_the_share_asked_for() -> None:
    schedule = Schedule((HEADS, ALL))
    assert schedule.learning_rate(0) == 1e-3
    assert schedule.learning_rate(50) == pytest.approx(1e-3 * 0.55)  # halfway between 1 and 0.1
    assert schedule.learning_rate(99) == pytest.approx(1e-3 * (0.1 + 0.45 * (1 + math.cos(math.pi * 0.99))))
    rising = [schedule.learning_rate(100 + step) for step in range(11)]
    assert rising == pytest.approx([1e-4 * (step + 1) / 11 for step in range(11)])


def test_without_an_end_it_falls_as_transformers_own_cosine_does() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-3)
    theirs = get_cosine_schedule_with_warmup(optimizer, 0, 100)
    schedule = Schedule((replace(HEADS, final_share=0.0),))
    for step in range(100):
        assert schedule.learning_rate(step) == pytest.approx(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"steps": 0}, "0 steps"),
        ({"learning_rate": 0.0}, "learning rate of 0.0"),
        ({"on_policy": 1.5}, "on_policy 1.5"),
    ],
)
def test_a_stage_that_cannot_be_trained_is_refused(changes: dict[str, float], said: str) -> None:
    with pytest.raises(DistillationError, match=said):
        replace(HEADS, **changes)


def test_a_schedule_needs_stages_of_different_names_and_a_positive_budget() -> None:
    with pytest.raises(DistillationError, match="no stages"):
        Schedule(())
    with pytest.raises(DistillationError, match="share a name"):
        Schedule((HEADS, HEADS))
    with pytest.raises(DistillationError, match="0 minutes"):
        Schedule((HEADS,), max_minutes=0)


def test_frozen_modules_are_named_by_prefix_and_have_to_exist() -> None:
    names = ["vision.fuse.0.weight", "projector.0.weight"]
    assert frozen_at(ALL, names) == {"vision.fuse.0.weight"}
    assert frozen_at(HEADS, names) == frozenset()
    with pytest.raises(DistillationError, match="visoin"):
        frozen_at(replace(ALL, frozen=("visoin",)), names)
