"""What needs a window system: a real drop, keyboard focus, and what is really on the screen after the first paint."""

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from kdistill_core.imaging import ImageEntry
from kdistill_core.records import ImageSource
from kdistill_viewer.main_window import MainWindow
from kdistill_viewer.qt_post import QtPost
from kdistill_viewer.settings import Settings, SettingsFile
from kdistill_viewer.state.app_state import AppState, Services
from kdistill_viewer.state.case import Phase
from kdistill_viewer.state.engine_link import ModelChoice
from kdistill_viewer.theme import apply_theme, tokens

pytestmark = pytest.mark.window


@pytest.fixture
def window(qtbot, qapp, engines, make_radiograph, tmp_path):
    if QGuiApplication.platformName() in ("offscreen", "minimal"):
        pytest.skip(f"the platform {QGuiApplication.platformName()!r} has no window system")
    apply_theme(qapp)
    post = QtPost()
    services = Services(
        engines.start, make_radiograph, lambda paths: (ImageEntry(ImageSource(str(p)), 60, 40) for p in paths)
    )
    window = MainWindow(AppState(services, post, ModelChoice()), Settings(), SettingsFile(tmp_path / "viewer.json"))
    post.setParent(window)
    window.show()
    qtbot.waitExposed(window)
    qtbot.waitUntil(lambda: window.complete)
    yield window
    window.close()
    window.deleteLater()
    qtbot.wait(1)


def drop(widget, paths):
    """Drop files on a widget the way the window system does: enter, then drop, each sent through the application."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    actions, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(10, 10), actions, data, left, none)
    QApplication.sendEvent(widget, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(widget, QDropEvent(QPointF(10, 10), actions, data, left, none))


@pytest.mark.parametrize("place", ["window", "canvas"])
def test_files_dropped_anywhere_are_opened(qtbot, window, tmp_path, place):
    drop(window if place == "window" else window.canvas, [tmp_path / "a.dcm"])
    qtbot.waitUntil(lambda: window.state.session.case is not None)
    qtbot.waitUntil(lambda: window.state.session.case.phase is Phase.EXPLAINED)


def test_tab_reaches_image_findings_and_both_rationales(qtbot, window):
    window.open_paths([Path("a.dcm")])
    qtbot.waitUntil(lambda: window.state.session.case is not None)
    qtbot.waitUntil(lambda: window.state.session.case.phase is Phase.EXPLAINED)
    window.activateWindow()
    window.canvas.setFocus()
    qtbot.waitUntil(window.canvas.hasFocus)
    wanted = {
        window.canvas,
        window.reading.findings.list,
        window.reading.rationales.student.view,
        window.reading.rationales.teacher.view,
        window.studies.tree,
    }
    reached = set()
    for _ in range(40):
        reached.add(QApplication.focusWidget())
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
    assert wanted <= reached


def test_the_screen_shows_the_banner_and_a_dark_window(qtbot, window):
    qtbot.wait(50)
    picture = window.screen().grabWindow(window.winId()).toImage()
    banner = window.banner.mapTo(window, QPoint(4, window.banner.height() // 2))
    assert picture.pixelColor(banner).name() == tokens.NOTICE_SURFACE
    canvas = window.canvas.mapTo(window, QPoint(20, 20))
    assert picture.pixelColor(canvas).lightness() < 40
