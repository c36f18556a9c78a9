"""What is really on the screen; needs a window system."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication


@pytest.mark.window
def test_export_is_what_is_on_the_screen(qtbot, canvas, make_radiograph, make_map):
    if QGuiApplication.platformName() in ("offscreen", "minimal"):
        pytest.skip(f"the platform {QGuiApplication.platformName()!r} has no window system")
    canvas.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # its ring is on the screen only
    canvas.show()
    qtbot.waitExposed(canvas)
    canvas.show_radiograph(make_radiograph(900, 800))
    canvas.set_overlay(make_map(900, 800, 300, 200))

    def on_screen():
        shown = canvas.screen().grabWindow(canvas.winId()).toImage()
        return shown.convertToFormat(canvas.to_image().format())

    qtbot.waitUntil(lambda: on_screen() == canvas.to_image())
    canvas.actual_size()
    canvas.pan_by(-37, 21)
    qtbot.waitUntil(lambda: on_screen() == canvas.to_image())
