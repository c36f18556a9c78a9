"""The window with a real worker, a real (untrained) student and a simulated radiograph, from the file to the kill."""

import os
import signal
import sys
from dataclasses import replace

import pytest
from PIL import Image
from PySide6.QtCore import Qt

from kdistill_core.engine.client import EngineProcess
from kdistill_core.imaging.display import default_window, render
from kdistill_core.phantom import simulate
from kdistill_core.student.tiny import tiny_student
from kdistill_viewer.app import build, parse
from kdistill_viewer.state.app_state import real_services
from kdistill_viewer.state.case import Phase

SLOW_MS = 180_000  # the worker imports torch and transformers, on a busy machine


@pytest.fixture
def student_folder(tmp_path):
    """A student with random weights, which never ends of itself: there is time to kill it."""
    model, processor = tiny_student()
    model.generation_config.do_sample = True
    model.generation_config.suppress_tokens = [0, 1, 2]  # begin, end, padding
    model.save_pretrained(tmp_path / "student")
    processor.save_pretrained(tmp_path / "student")
    return tmp_path / "student"


@pytest.fixture
def image(tmp_path):
    phantom = simulate(seed=1, rows=320, columns=260).radiograph
    Image.fromarray(render(phantom, default_window(phantom))).save(tmp_path / "chest.png")
    return tmp_path / "chest.png"


@pytest.fixture
def workers():
    return []


@pytest.fixture
def window(qtbot, student_folder, image, workers, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def start(on_event):
        workers.append(EngineProcess(on_event, log_path=tmp_path / "engine.log"))
        return workers[-1]

    options = parse([str(image), "--model", str(student_folder), "--settings", str(tmp_path / "viewer.json")])
    _, window = build(options, replace(real_services(), start_engine=start))
    window.show()
    qtbot.waitUntil(lambda: window.state.session.case is not None, timeout=SLOW_MS)
    yield window
    window.close()
    window.deleteLater()
    qtbot.wait(1)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_case_is_explained_and_survives_the_death_of_the_worker_in_mid_sentence(qtbot, window, workers):
    state, view = window.state, window.reading.rationales.student.view

    def overlay_kind():
        return None if state.overlays.shown is None else state.overlays.shown.target.kind.value

    qtbot.waitUntil(lambda: len(state.session.case.text) > 20, timeout=SLOW_MS)
    first = workers[0].process_id()
    os.kill(first, signal.SIGKILL)
    qtbot.waitUntil(window.messages.isVisible, timeout=SLOW_MS)
    assert "killed" in window.messages.text()
    assert state.session.case.phase is Phase.FAILED
    assert window.isVisible()
    assert window.canvas.radiograph() is not None
    assert len(view.toPlainText()) > 20

    window.messages.retry_button.click()
    qtbot.waitUntil(lambda: state.session.case.phase is Phase.EXPLAINED, timeout=SLOW_MS)
    assert workers[0].process_id() not in (None, first)
    qtbot.waitUntil(lambda: overlay_kind() == "condition", timeout=SLOW_MS)
    assert state.overlays.shown.values.shape == (320, 260)
    assert window.reading.rationales.teacher.view.toPlainText()

    qtbot.mouseClick(view.gutter, Qt.MouseButton.LeftButton, pos=view.gutter.rectangle(0).center())
    qtbot.waitUntil(lambda: overlay_kind() == "sentence", timeout=SLOW_MS)
    assert not window.messages.isVisible()
