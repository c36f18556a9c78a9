"""`kdistill student export` as the person at the terminal meets it."""

from __future__ import annotations

import json
from pathlib import Path


def test_it_writes_a_student_that_opens_again(kdistill, student: Path, tmp_path: Path) -> None:
    done = kdistill("student", "export", student, "--out", tmp_path / "half", "--half")
    assert done.exit_code == 0
    assert done.stdout.strip() == str(tmp_path / "half")
    assert "million parameters" in done.stderr
    shown = kdistill("models", "show", tmp_path / "half", "--json")
    assert json.loads(shown.stdout)["configuration"]["dtype"] == "float16"
    assert "Research software" in json.loads(shown.stdout)["card"]


def test_it_never_writes_over_anything(kdistill, student: Path, tmp_path: Path) -> None:
    refused = kdistill("student", "export", student, "--out", tmp_path)
    assert refused.exit_code == 1
    assert f"{tmp_path} is there already" in refused.stderr


def test_a_folder_that_is_no_student_is_refused(kdistill, tmp_path: Path) -> None:
    refused = kdistill("student", "export", tmp_path / "none", "--out", tmp_path / "out")
    assert refused.exit_code == 1
    assert "There is no model folder" in refused.stderr
    assert not (tmp_path / "out").exists()
