"""The worker is a process of its own, and is killed while it writes: the window goes on."""

import os
import signal
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import Qt

from kdistill_core.engine.client import EngineProcess
from kdistill_core.imaging import ImageEntry
from kdistill_core.records import ImageSource
from kdistill_viewer.main_window import MainWindow
from kdistill_viewer.qt_post import QtPost
from kdistill_viewer.settings import Settings, SettingsFile
from kdistill_viewer.state.app_state import AppState, Services
from kdistill_viewer.state.case import Phase
from kdistill_viewer.state.engine_link import ModelChoice

WORKER = (sys.executable, "-P", str(Path(__file__).with_name("slow_worker.py")))
SLOW_MS = 60_000  # a start of the worker on a busy machine


def find(paths):
    for path in paths:
        yield ImageEntry(ImageSource(str(path)), 60, 40)


@pytest.fixture
def window(qtbot, make_radiograph, tmp_path):
    processes = []

    def start(on_event):
        processes.append(EngineProcess(on_event, command=WORKER, log_path=tmp_path / "engine.log"))
        return processes[-1]

    post = QtPost()
    state = AppState(Services(start, make_radiograph, find), post, ModelChoice())
    window = MainWindow(state, Settings(), SettingsFile(tmp_path / "viewer.json"))
    post.setParent(window)
    window.processes = processes
    window.show()
    qtbot.waitUntil(lambda: window.complete)
    yield window
    window.close()
    window.deleteLater()
    qtbot.wait(1)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_worker_killed_while_it_writes_leaves_the_case_open_and_the_next_request_works(qtbot, window):
    window.open_paths([Path("a.dcm")])
    view = window.reading.rationales.student.view
    qtbot.waitUntil(lambda: "word word" in view.toPlainText(), timeout=SLOW_MS)
    first = window.processes[0].process_id()
    os.kill(first, signal.SIGKILL)
    qtbot.waitUntil(window.messages.isVisible, timeout=SLOW_MS)
    assert "killed" in window.messages.text()
    assert "stays open" in window.messages.text()
    assert window.isVisible()
    assert window.canvas.radiograph() is not None
    assert "word word" in view.toPlainText()
    assert not window.status.progress.isVisible()

    window.messages.retry_button.click()
    qtbot.waitUntil(lambda: window.state.session.case.phase is Phase.EXPLAINED, timeout=SLOW_MS)
    assert window.processes[0].process_id() not in (None, first)

    # The one that is killed at rest is told of too, and an overlay of what it had explained can still be asked for.
    qtbot.waitUntil(lambda: window.state.overlays.shown is not None, timeout=SLOW_MS)
    os.kill(window.processes[0].process_id(), signal.SIGKILL)
    qtbot.waitUntil(window.messages.isVisible, timeout=SLOW_MS)
    gutter = view.gutter
    qtbot.mouseClick(gutter, Qt.MouseButton.LeftButton, pos=gutter.rectangle(0).center())
    qtbot.waitUntil(
        lambda: window.state.overlays.shown is not None and window.state.overlays.shown.target.span is not None,
        timeout=SLOW_MS,
    )
    assert len(window.processes) == 1
