"""Commands of `kdistill` whose arguments stand in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdistill_core.errors import KDistillError
from training.command import main, read_command


def test_a_file_is_what_would_be_typed(tmp_path: Path) -> None:
    path = tmp_path / "command.yaml"
    path.write_text(
        "command: teacher write\narguments: [data]\n"
        "options: {out: runs/x, states: [positive, negative], limit: 3, allow-remote-reports: true}\n",
        encoding="utf-8",
    )
    typed = "teacher write data --out runs/x --states positive --states negative --limit 3 --allow-remote-reports"
    assert read_command(path).words == typed.split()


def test_the_command_runs_with_what_is_added_behind_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "command.yaml"
    path.write_text("command: data filters", encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main([str(path)])
    assert ended.value.code == 0
    assert "not-frontal" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main([str(path), "--no-such-option"])
    assert ended.value.code == 2


@pytest.mark.parametrize("content", ["options: {out: x}", "command: evaluate\nflags: {}", "command: [", "[1]"])
def test_a_file_that_names_no_command_is_refused_by_its_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "command.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(KDistillError, match=r"command\.yaml"):
        read_command(path)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(KDistillError, match=r"nowhere\.yaml"):
        read_command(Path("nowhere.yaml"))
    with pytest.raises(KDistillError, match="No file"):
        main(["--limit", "3"])
