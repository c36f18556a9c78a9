"""What several tests of trainings share: trainings that need processes of their own, started once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_SCRIPT = Path(__file__).with_name("two_processes.py")


@pytest.fixture(scope="session")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what was trained apart: `killed`, `copied` and `sharded`, with what the last two logged."""
    out = tmp_path_factory.mktemp("together")
    launcher = ("-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29621")
    done = subprocess.run(
        [sys.executable, *launcher, str(_SCRIPT), str(out)],
        cwd=_ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(_ROOT)},
        capture_output=True,
        timeout=500,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return out
