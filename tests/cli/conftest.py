"""The commands run in this process, with a small model whose words mean nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from kdistill_core.cli.main import app


@pytest.fixture(scope="session")
def student(tmp_path_factory) -> Path:
    """A folder with a student of random weights."""
    from kdistill_core.student.tiny import save_tiny_student

    return save_tiny_student(tmp_path_factory.mktemp("model") / "tiny-student")


@pytest.fixture(scope="session")
def chest(tmp_path_factory) -> Path:
    """A simulated frontal chest radiograph as a DICOM file."""
    from kdistill_core.phantom import simulate
    from kdistill_core.phantom.dicom import write_dicom

    path = tmp_path_factory.mktemp("chest") / "chest.dcm"
    write_dicom(simulate(7, 192, 160).radiograph, path)
    return path


@pytest.fixture
def kdistill():
    """Run `kdistill` with the given arguments; a traceback is a failure of the test."""

    def run(*arguments: object):
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.output
        return result

    return run
