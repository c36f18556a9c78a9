from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QColor, QDragEnterEvent, QDropEvent, QImage, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from kdistill_core.imaging.display import default_window, render
from kdistill_core.records import Patient, VoiFunction, Window
from kdistill_viewer.canvas import CanvasError, OverlayStyle, PointerReading
from kdistill_viewer.theme import tokens

WINDOW = Window(2048, 4096, function=VoiFunction.LINEAR_EXACT)


def gray(image: QImage) -> np.ndarray:
    """Return int [rows, columns], the green channel."""
    view = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)
    return view[:, : image.width(), 1].astype(int)


def wheel(canvas, at: QPoint, *, angle: int = 0, pixels: int = 0, phase=Qt.ScrollPhase.NoScrollPhase) -> None:
    event = QWheelEvent(
        QPointF(at),
        QPointF(canvas.mapToGlobal(at)),
        QPoint(0, pixels),
        QPoint(0, angle),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        phase,
        False,
    )
    canvas.wheelEvent(event)


def drag(canvas, button, start: QPoint, end: QPoint) -> None:
    QTest.mousePress(canvas, button, Qt.KeyboardModifier.NoModifier, start)
    QTest.mouseMove(canvas, end)
    QTest.mouseRelease(canvas, button, Qt.KeyboardModifier.NoModifier, end)


# What is shown


def test_radiograph_opens_in_its_default_window_and_fits(qtbot, canvas, make_radiograph):
    radiograph = make_radiograph()
    with qtbot.waitSignals([canvas.window_changed, canvas.zoom_changed]):
        canvas.show_radiograph(radiograph)
    assert canvas.window() == default_window(radiograph)
    extent_height = canvas.view_transform().zoom * radiograph.rows
    assert 350 < extent_height < 400  # the height of the canvas less the notice


def test_picture_in_the_middle_is_the_rendered_radiograph(canvas, make_radiograph):
    radiograph = make_radiograph(120, 100)
    canvas.show_radiograph(radiograph)
    canvas.set_window(WINDOW)
    canvas.actual_size()
    view = canvas.view_transform()
    left, top = round(view.offset_x), round(view.offset_y)
    shown = gray(canvas.to_image())[top : top + 120, left : left + 100]
    np.testing.assert_array_equal(shown, render(radiograph, WINDOW))


def test_inversion_is_the_readers_own_and_announced(qtbot, canvas, make_radiograph):
    radiograph = make_radiograph(120, 100)
    canvas.show_radiograph(radiograph)
    canvas.set_window(WINDOW)
    canvas.actual_size()
    with qtbot.waitSignal(canvas.inverted_changed) as signal:
        canvas.set_inverted(True)
    assert signal.args == [True]
    view = canvas.view_transform()
    left, top = round(view.offset_x), round(view.offset_y)
    shown = gray(canvas.to_image())[top : top + 120, left : left + 100]
    np.testing.assert_array_equal(shown, render(radiograph, WINDOW, invert=True))
    with qtbot.waitSignal(canvas.inverted_changed) as signal:
        canvas.show_radiograph(make_radiograph())
    assert signal.args == [False]


def test_setting_the_same_window_again_is_silent(qtbot, canvas, make_radiograph):
    canvas.show_radiograph(make_radiograph())
    canvas.set_window(WINDOW)
    with qtbot.assertNotEmitted(canvas.window_changed):
        canvas.set_window(WINDOW)


def test_notice_is_burnt_into_screen_and_export_with_and_without_image(canvas, make_radiograph):
    for radiograph in (None, make_radiograph()):
        canvas.show_radiograph(radiograph)
        for image in (canvas.to_image(), canvas.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)):
            last = image.pixelColor(2, image.height() - 5)
            assert last == QColor(tokens.NOTICE_SURFACE)
            strip = gray(image)[-14:]
            assert strip.max() > 150  # its letters


def test_patient_and_markers_are_on_the_tile(canvas, make_radiograph):
    """Two tiles that differ in one word of the annotations differ in that corner and nowhere else."""
    radiograph = make_radiograph(300, 250)
    canvas.show_radiograph(radiograph)
    first = gray(canvas.to_image())
    canvas.show_radiograph(dataclasses.replace(radiograph, patient=Patient("P-17", "Roe^Jane", "F", age="057Y")))
    changed = np.argwhere(gray(canvas.to_image()) != first)
    assert len(changed)
    assert changed[:, 0].max() < 30
    assert changed[:, 1].max() < 120


def test_export_leaves_out_focus_ring_and_progress(canvas, make_radiograph):
    canvas.show_radiograph(make_radiograph())
    before = canvas.to_image()
    canvas.set_busy("Explaining")
    canvas.setFocus()
    assert canvas.to_image() == before
    canvas.set_busy(None)


def test_progress_turns_while_work_goes_on(qtbot, canvas, make_radiograph):
    canvas.show_radiograph(make_radiograph())
    canvas.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # its ring would come and go with the window's activation
    canvas.show()
    quiet = canvas.grab().toImage()
    canvas.set_busy("Explaining")
    busy = canvas.grab().toImage()
    assert busy != quiet
    qtbot.waitUntil(lambda: canvas.grab().toImage() != busy)
    canvas.set_busy(None)
    assert canvas.grab().toImage() == quiet


def test_message_is_shown_only_without_an_image(canvas, make_radiograph):
    canvas.set_message("This file is not a radiograph.", "Open another one.")
    first = canvas.to_image()
    canvas.set_message("This folder is empty.")
    assert canvas.to_image() != first
    canvas.show_radiograph(make_radiograph())
    shown = canvas.to_image()
    canvas.set_message("Something else")
    assert canvas.to_image() == shown


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 1), (3000, 2500)])
def test_any_size_of_image_is_painted_at_any_zoom(canvas, make_radiograph, make_map, shape):
    radiograph = make_radiograph(*shape)
    canvas.show_radiograph(radiograph)
    canvas.set_overlay(make_map(*shape, 0, 0))
    for step in (canvas.fit, canvas.actual_size, lambda: canvas.zoom_by(100), lambda: canvas.zoom_by(1e-6)):
        step()
        assert not canvas.to_image().isNull()


def test_constant_image_and_image_of_padding_are_painted(canvas, make_radiograph):
    canvas.show_radiograph(make_radiograph(pixels=np.full((50, 60), 7, np.float32)))
    assert not canvas.to_image().isNull()
    padded = make_radiograph(pixels=np.zeros((50, 60), np.float32), padding=np.ones((50, 60), bool))
    canvas.show_radiograph(padded)
    assert not canvas.to_image().isNull()


# Overlay


@pytest.mark.parametrize("zoom", [2.0, 3.4])
def test_overlay_lights_the_pixel_it_is_about(canvas, make_radiograph, make_map, zoom):
    radiograph = make_radiograph(pixels=np.zeros((150, 130), np.float32))
    canvas.show_radiograph(radiograph)
    canvas.set_window(WINDOW)
    canvas.fit()
    canvas.zoom_by(zoom / canvas.view_transform().zoom)
    canvas.pan_by(13, -9)
    canvas.set_overlay_style(OverlayStyle(opacity=1, threshold=0, color_map="viridis"))
    canvas.set_overlay(make_map(150, 130, 70, 50))
    view = canvas.view_transform()
    shown = gray(canvas.to_image())
    canvas.set_overlay(make_map(150, 130, 75, 58))
    moved = gray(canvas.to_image())
    lit = np.argwhere((shown != moved) & (shown > 0))
    y = np.unique([np.floor((row + 0.5 - view.offset_y) / zoom) for row in lit[:, 0]])
    x = np.unique([np.floor((column + 0.5 - view.offset_x) / zoom) for column in lit[:, 1]])
    assert (y.tolist(), x.tolist()) == ([70], [50])


def test_hidden_overlay_leaves_the_image_as_it_was(canvas, make_radiograph, make_map):
    canvas.show_radiograph(make_radiograph())
    plain = canvas.to_image()
    canvas.set_overlay(make_map(240, 200, 100, 90))
    assert canvas.to_image() != plain
    canvas.set_overlay_style(OverlayStyle(visible=False))
    assert canvas.to_image() == plain
    canvas.set_overlay_style(OverlayStyle())
    canvas.set_overlay(None)
    assert canvas.to_image() == plain


def test_overlay_goes_with_its_image(canvas, make_radiograph, make_map):
    radiograph = make_radiograph()
    canvas.show_radiograph(radiograph)
    plain = canvas.to_image()
    canvas.set_overlay(make_map(240, 200, 100, 90))
    canvas.show_radiograph(radiograph)
    assert canvas.to_image() == plain


def test_overlay_of_another_image_is_refused_and_changes_nothing(canvas, make_radiograph, make_map):
    canvas.show_radiograph(make_radiograph())
    plain = canvas.to_image()
    with pytest.raises(CanvasError):
        canvas.set_overlay(make_map(100, 90, 3, 3))
    assert canvas.to_image() == plain


def test_ring_is_about_the_peak(canvas, make_radiograph, make_map):
    canvas.show_radiograph(make_radiograph(pixels=np.zeros((240, 200), np.float32)))
    canvas.set_overlay_style(OverlayStyle(opacity=0))
    canvas.set_overlay(make_map(240, 200, 60, 120))
    without = gray(canvas.to_image())
    canvas.set_overlay_style(OverlayStyle(opacity=0, peak=True))
    ring = np.argwhere(gray(canvas.to_image()) != without) + 0.5
    x, y = canvas.view_transform().to_device(120, 60)
    assert (ring.min(axis=0) + ring.max(axis=0)) / 2 == pytest.approx([y, x], abs=1)


# Mouse and keyboard


def test_left_drag_changes_width_across_and_center_down(qtbot, canvas, make_radiograph):
    canvas.show_radiograph(make_radiograph())
    canvas.set_window(WINDOW)
    changes: list[Window] = []
    canvas.window_changed.connect(changes.append)
    drag(canvas, Qt.MouseButton.LeftButton, QPoint(200, 200), QPoint(240, 180))
    # The window spans the data's range; 400 pixels of drag change it by its own width.
    data_range = float(np.ptp(make_radiograph().pixels))
    assert canvas.window().width == pytest.approx(4096 + 40 * data_range / 400)
    assert canvas.window().center == pytest.approx(2048 - 20 * data_range / 400)
    assert changes[-1] == canvas.window()
    assert canvas.window().function is VoiFunction.LINEAR_EXACT


def test_window_never_closes(canvas, make_radiograph):
    canvas.show_radiograph(make_radiograph())
    for function in VoiFunction:
        canvas.set_window(Window(2048, 300, function=function))
        drag(canvas, Qt.MouseButton.LeftButton, QPoint(490, 200), QPoint(0, 200))
        drag(canvas, Qt.MouseButton.LeftButton, QPoint(490, 200), QPoint(0, 200))
        assert canvas.window().width > 0
        assert not canvas.to_image().isNull()


def test_click_without_movement_changes_nothing(qtbot, canvas, make_radiograph):
    canvas.show_radiograph(make_radiograph())
    with qtbot.assertNotEmitted(canvas.window_changed), qtbot.assertNotEmitted(canvas.zoom_changed):
        for button in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton, Qt.MouseButton.RightButton):
            QTest.mouseClick(canvas, button, Qt.KeyboardModifier.NoModifier, QPoint(100, 100))


def test_middle_drag_moves_the_image_with_the_pointer(canvas, make_radiograph):
    canvas.show_radiograph(make_radiograph(1000, 1000))
    canvas.actual_size()
    before = canvas.view_transform()
    drag(canvas, Qt.MouseButton.MiddleButton, QPoint(200, 200), QPoint(231, 188))
    assert canvas.view_transform() == before.panned(31, -12)


def test_right_drag_up_zooms_in_about_its_start(canvas, make_radiograph):
    canvas.show_radiograph(make_radiograph(1000, 1000))
    before = canvas.view_transform()
    drag(canvas, Qt.MouseButton.RightButton, QPoint(300, 250), QPoint(300, 100))
    after = canvas.view_transform()
    assert after.zoom == pytest.approx(before.zoom * np.e)
    assert after.to_image(300, 250) == pytest.approx(before.to_image(300, 250))


def test_wheel_zooms_about_the_pointer(qtbot, canvas, make_radiograph):
    canvas.show_radiograph(make_radiograph(1000, 1000))
    before = canvas.view_transform()
    with qtbot.waitSignal(canvas.zoom_changed) as signal:
        wheel(canvas, QPoint(123, 77), angle=120)
    after = canvas.view_transform()
    assert after.zoom > before.zoom
    assert signal.args == [after.zoom]
    assert after.to_image(123, 77) == pytest.approx(before.to_image(123, 77))
    wheel(canvas, QPoint(123, 77), angle=-120)
    assert canvas.view_transform().zoom == pytest.approx(before.zoom)


def test_touchpad_zooms_by_pixels_within_a_scroll_phase_only(canvas, make_radiograph):
    canvas.show_radiograph(make_radiograph(1000, 1000))
    before = canvas.view_transform().zoom
    wheel(canvas, QPoint(100, 100), pixels=10, angle=120, phase=Qt.ScrollPhase.ScrollUpdate)
    gentle = canvas.view_transform().zoom / before
    wheel(canvas, QPoint(100, 100), pixels=10, angle=120)
    notch = canvas.view_transform().zoom / before / gentle
    assert 1 < gentle < 1.05
    assert notch == pytest.approx(1.2)


def test_double_click_fits_again(canvas, make_radiograph):
    canvas.show_radiograph(make_radiograph(1000, 1000))
    fitted = canvas.view_transform()
    canvas.zoom_by(3)
    canvas.pan_by(40, 40)
    QTest.mouseDClick(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, QPoint(50, 50))
    assert canvas.view_transform() == fitted


def test_arrow_keys_move_the_image(canvas, make_radiograph):
    canvas.show_radiograph(make_radiograph(1000, 1000))
    canvas.actual_size()
    before = canvas.view_transform()
    QTest.keyClick(canvas, Qt.Key.Key_Left)
    QTest.keyClick(canvas, Qt.Key.Key_Down)
    assert canvas.view_transform() == before.panned(40, -40)


def test_shift_and_arrow_keys_window_as_a_drag_would(canvas, make_radiograph):
    canvas.show_radiograph(make_radiograph())
    canvas.set_window(WINDOW)
    drag(canvas, Qt.MouseButton.LeftButton, QPoint(200, 200), QPoint(210, 190))
    dragged = canvas.window()
    canvas.set_window(WINDOW)
    view = canvas.view_transform()
    QTest.keyClick(canvas, Qt.Key.Key_Up, Qt.KeyboardModifier.ShiftModifier)
    QTest.keyClick(canvas, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert (canvas.window().width, canvas.window().center) == pytest.approx((dragged.width, dragged.center))
    assert canvas.view_transform() == view


def test_cursor_tells_the_tool(canvas, make_radiograph):
    canvas.show_radiograph(make_radiograph())
    assert canvas.cursor().shape() == Qt.CursorShape.CrossCursor
    for button, shape in (
        (Qt.MouseButton.LeftButton, Qt.CursorShape.BitmapCursor),
        (Qt.MouseButton.MiddleButton, Qt.CursorShape.ClosedHandCursor),
        (Qt.MouseButton.RightButton, Qt.CursorShape.SizeVerCursor),
    ):
        QTest.mousePress(canvas, button, Qt.KeyboardModifier.NoModifier, QPoint(50, 50))
        assert canvas.cursor().shape() == shape
        QTest.mouseRelease(canvas, button, Qt.KeyboardModifier.NoModifier, QPoint(50, 50))
        assert canvas.cursor().shape() == Qt.CursorShape.CrossCursor


def test_second_button_does_not_disturb_a_drag(canvas, make_radiograph):
    canvas.show_radiograph(make_radiograph(1000, 1000))
    view = canvas.view_transform()
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, QPoint(50, 50))
    QTest.mousePress(canvas, Qt.MouseButton.RightButton, Qt.KeyboardModifier.NoModifier, QPoint(50, 50))
    QTest.mouseMove(canvas, QPoint(90, 90))
    QTest.mouseRelease(canvas, Qt.MouseButton.RightButton, Qt.KeyboardModifier.NoModifier, QPoint(90, 90))
    assert canvas.view_transform() == view
    assert canvas.cursor().shape() == Qt.CursorShape.BitmapCursor


def test_pointer_reading_is_the_pixel_and_its_value(canvas, make_radiograph):
    radiograph = make_radiograph(240, 200)
    canvas.show_radiograph(radiograph)
    readings: list[PointerReading | None] = []
    canvas.pointer_moved.connect(readings.append)
    x, y = canvas.view_transform().to_device(57, 31)
    QTest.mouseMove(canvas, QPoint(int(x), int(y)))
    assert readings[-1] == PointerReading(57, 31, float(radiograph.pixels[31, 57]))
    QTest.mouseMove(canvas, QPoint(2, 200))
    assert readings[-1] is None


def test_empty_canvas_takes_every_command_and_gesture_calmly(canvas):
    canvas.show_radiograph(None)
    canvas.fit()
    canvas.actual_size()
    canvas.zoom_by(2)
    canvas.pan_by(3, 3)
    canvas.set_window(WINDOW)
    canvas.set_inverted(True)
    canvas.set_overlay(None)
    wheel(canvas, QPoint(5, 5), angle=120)
    drag(canvas, Qt.MouseButton.LeftButton, QPoint(10, 10), QPoint(40, 40))
    QTest.keyClick(canvas, Qt.Key.Key_Left)
    assert canvas.window() is None
    assert canvas.view_transform() is None
    assert not canvas.to_image().isNull()


# Size


def test_fitted_image_stays_fitted_when_the_canvas_grows(canvas, make_radiograph):
    canvas.show_radiograph(make_radiograph(240, 200))
    canvas.show()
    small = canvas.view_transform().zoom
    canvas.resize(1000, 800)
    assert canvas.view_transform().zoom > 1.9 * small


def test_zoomed_image_keeps_its_middle_when_the_canvas_grows(canvas, make_radiograph):
    canvas.show_radiograph(make_radiograph(1000, 1000))
    canvas.show()
    canvas.zoom_by(4)
    zoom = canvas.view_transform().zoom
    before = canvas.view_transform().to_image(250, 190)
    canvas.resize(700, 600)
    after = canvas.view_transform()
    assert after.zoom == zoom
    assert after.to_image(350, 290) == pytest.approx(before)


def test_one_to_one_is_one_image_pixel_per_device_pixel_at_twice_the_density(tmp_path: Path):
    """In a process of its own, since the scale factor is fixed at start."""
    script = Path(__file__).with_name("density_probe.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "shown.png")],
        env={"QT_SCALE_FACTOR": "2", "QT_QPA_PLATFORM": "offscreen", "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    ratio, zoom, matches = done.stdout.split()
    assert (ratio, zoom, matches) == ("2.0", "1.0", "True")


# Files


def test_dropped_files_are_passed_on_and_web_addresses_are_not(qtbot, canvas, tmp_path):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(tmp_path / "a b.dcm")), QUrl("https://example.org/x.dcm")])
    common = (mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    enter = QDragEnterEvent(QPoint(5, 5), Qt.DropAction.CopyAction, *common)
    QApplication.sendEvent(canvas, enter)
    assert enter.isAccepted()
    with qtbot.waitSignal(canvas.files_dropped) as signal:
        QApplication.sendEvent(canvas, QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, *common))
    assert signal.args == [[tmp_path / "a b.dcm"]]


def test_text_is_not_welcome_as_a_drop(canvas):
    mime = QMimeData()
    mime.setText("not a file")
    enter = QDragEnterEvent(
        QPoint(5, 5), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    enter.ignore()
    QApplication.sendEvent(canvas, enter)
    assert not enter.isAccepted()


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["RG1_J2KR.dcm", "RG1_UNCI.dcm"])
def test_real_radiographs_are_shown_with_their_patient(canvas, shared_data, name):
    from kdistill_core.imaging import read_radiograph

    radiograph = read_radiograph(shared_data / "dicom" / name)
    canvas.resize(800, 800)
    canvas.show_radiograph(radiograph)
    shown = gray(canvas.to_image())
    assert shown[100:700, 100:700].std() > 20
    assert radiograph.patient.name
