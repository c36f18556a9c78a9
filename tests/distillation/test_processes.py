"""Two processes teach as one does: batch statistics, contrast and averages are those of all cases."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from kdistill_core.distillation.normalization import SharedBatchNorm2d, share_batch_statistics
from kdistill_core.student.loading import load_student
from tests.distillation.two_processes import CONFIGS, SHARDED, STAGES, run


@pytest.mark.parametrize(("name", "stages"), [("copied", STAGES), ("sharded", SHARDED)])
def test_two_processes_reach_the_losses_of_one(
    together: Path, tmp_path: Path, name: str, stages: tuple[object, ...]
) -> None:
    two = json.loads((together / "logged.json").read_text())[name]
    one = run(tmp_path, stages, 4)
    assert len(two) == len(one) == 50
    for what in ("loss", "classification/raw", "generation/raw", "alignment/raw", "grad_norm"):
        pairs = [(theirs[what], alone[what]) for theirs, alone in zip(two, one, strict=True) if what in alone]
        assert pairs
        theirs, alone = np.array(pairs).T
        np.testing.assert_allclose(theirs, alone, atol=1e-4, err_msg=what)


@pytest.mark.parametrize("name", ["copied", "sharded"])
def test_what_two_processes_keep_is_a_whole_student(together: Path, name: str) -> None:
    best, _ = load_student(together / name / "best")
    last, _ = load_student(together / name / "last")
    assert torch.equal(best.condition_queries.queries, last.condition_queries.queries)
    assert all(parameter.isfinite().all() for parameter in best.parameters())


def test_the_shipped_configuration_of_copies_is_one() -> None:
    shipped = yaml.safe_load((CONFIGS / "accelerate-ddp.yaml").read_text(encoding="utf-8"))
    assert shipped["distributed_type"] == "MULTI_GPU"
    assert "fsdp_config" not in shipped


def test_sharing_batch_statistics_keeps_names_values_and_what_one_process_computes() -> None:
    plain = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Sequential(nn.BatchNorm2d(3)))
    shared = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Sequential(nn.BatchNorm2d(3)))
    shared.load_state_dict(plain.state_dict())
    weight = shared[1].weight
    share_batch_statistics(shared)
    assert isinstance(shared[1], SharedBatchNorm2d)
    assert isinstance(shared[2][0], SharedBatchNorm2d)
    assert shared[1].weight is weight
    images = torch.randn(4, 1, 8, 8)
    assert torch.equal(plain(images), shared(images))
    assert list(plain.state_dict()) == list(shared.state_dict())
