"""The command line of the viewer, in a process of its own where the process is what matters."""

import os
import subprocess
import sys
from importlib import metadata

import pytest

from kdistill_viewer.app import parse, why_no_window
from kdistill_viewer.faults import fault_line


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "kdistill_viewer", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


def test_version_and_help_open_no_window():
    assert run("--version").stdout.strip() == f"kdistill-viewer {metadata.version('kdistill')}"
    assert "Not for diagnosis" in " ".join(run("--help").stdout.split())


def test_wrong_usage_ends_with_two():
    with pytest.raises(SystemExit) as ended:
        parse(["--no-such-option"])
    assert ended.value.code == 2


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a display")
def test_without_a_display_the_reason_is_said_in_one_line(monkeypatch):
    done = run(DISPLAY="", WAYLAND_DISPLAY="", QT_QPA_PLATFORM="")
    assert done.returncode == 1
    assert "no display" in done.stderr
    assert "kdistill explain" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_library_that_qt_misses_is_named_with_the_way_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "PySide6.QtWidgets", None)
    assert "apt-get install libegl1" in why_no_window()


def test_faults_are_logged_by_place_without_their_values():
    try:
        raise ValueError("Doe^Jane")
    except ValueError as error:
        line = fault_line(type(error), error.__traceback__)
    assert "ValueError" in line
    assert "test_app.py" in line
    assert "Doe" not in line


def test_start_up_imports_none_of_the_slow_libraries():
    """What takes long to import waits until the window is painted."""
    slow = ("torch", "transformers", "pydicom", "SimpleITK", "matplotlib", "PIL", "scipy", "pandas", "highdicom")
    script = (
        "import sys\n"
        "from kdistill_viewer.app import build, parse\n"
        "application, window = build(parse(['--settings', '/nonexistent/viewer.json']))\n"
        f"print([name for name in {slow!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "[]", done.stderr
