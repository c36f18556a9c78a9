"""`kdistill student train`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kdistill_core.cli import student_train
from kdistill_core.cli.main import app
from kdistill_core.errors import KDistillError

_ROOT = Path(__file__).parents[2]


def test_a_training_is_started_by_its_module_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[list[str], str]] = []

    def run(command: list[str], *, env: dict[str, str], check: bool) -> subprocess.CompletedProcess[bytes]:
        started.append((command, env["PYTHONPATH"].split(os.pathsep)[0]))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(student_train.subprocess, "run", run)
    monkeypatch.chdir(tmp_path)
    config = _ROOT / "training" / "configs" / "student-demo.yaml"
    assert CliRunner().invoke(app, ["student", "train", str(config)]).exit_code == 0
    assert CliRunner().invoke(app, ["student", "train", str(config), "--processes", "2"]).exit_code == 0
    (one, where), (two, _) = started
    assert one == [sys.executable, "-m", "training.student", "--config", str(config)]
    assert Path(where) == _ROOT
    assert two[1:6] == ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]


def test_a_training_that_fails_fails_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 3)
    monkeypatch.setattr(student_train.subprocess, "run", lambda *args, **named: failed)
    config = _ROOT / "training" / "configs" / "student-demo.yaml"
    assert CliRunner().invoke(app, ["student", "train", str(config)]).exit_code == 1


def test_a_missing_configuration_is_named() -> None:
    result = CliRunner().invoke(app, ["student", "train", "nowhere.yaml"])
    assert result.exit_code == 1
    assert "nowhere.yaml" in result.stderr


def test_an_installed_package_without_trainings_says_where_they_are(tmp_path: Path) -> None:
    with pytest.raises(KDistillError, match="Get the source"):
        student_train.source_root(tmp_path / "kdistill_core" / "__init__.py")
    assert student_train.source_root(_ROOT / "kdistill_core" / "__init__.py") == _ROOT
