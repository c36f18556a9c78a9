"""The whole window on a fake engine: from a dropped file to the overlay of a word."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog, QWidget

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.engine.messages import Attribute, Canceled, Declined, Explain, Failed, WorkerDied
from kdistill_core.errors import KDistillError
from kdistill_core.imaging import ImageEntry, SkippedFile
from kdistill_core.records import (
    Explanation,
    Finding,
    ImageSource,
    Patient,
    Review,
    ReviewStatus,
    SaliencyTarget,
    Span,
    TargetKind,
)
from kdistill_viewer.main_window import TITLE, MainWindow
from kdistill_viewer.panels.banner import NOTICE
from kdistill_viewer.panels.findings import FindingsOrder, FindingsPanel
from kdistill_viewer.qt_post import QtPost
from kdistill_viewer.settings import Settings, SettingsFile
from kdistill_viewer.state.app_state import AppState, Services
from kdistill_viewer.state.case import Phase, condition_target
from kdistill_viewer.state.engine_link import ModelChoice

ROWS, COLUMNS = 60, 40  # of the fake engine's maps and the fixture's radiographs
PATIENT = Patient(id="P-17", name="Doe^Jane")


def find(paths):
    """List every path as an image, except those whose name says that it is broken."""
    for path in paths:
        if "broken" in path.name:
            yield SkippedFile(str(path), "It is cut short.")
        else:
            yield ImageEntry(ImageSource(str(path)), 60, 40, patient=PATIENT, study_uid="1.2", study_date="20240131")


@pytest.fixture
def make_window(qtbot, engines, make_radiograph, tmp_path):
    windows = []

    def make(settings=None, read=make_radiograph):
        post = QtPost()
        state = AppState(Services(engines.start, read, find), post, ModelChoice())
        window = MainWindow(state, settings or Settings(), SettingsFile(tmp_path / "viewer.json"))
        post.setParent(window)
        windows.append(window)
        window.show()
        qtbot.waitUntil(lambda: window.complete)
        return window

    yield make
    for window in windows:
        window.close()
        window.deleteLater()
    qtbot.wait(1)


@pytest.fixture
def window(make_window):
    return make_window()


def open_case(qtbot, window, name="a.dcm"):
    window.open_paths([Path(name)])
    qtbot.waitUntil(lambda: window.state.session.case is not None and window.canvas.radiograph() is not None)


def explained(qtbot, window, name="a.dcm"):
    open_case(qtbot, window, name)
    qtbot.waitUntil(lambda: window.state.session.case.phase is Phase.EXPLAINED)
    qtbot.waitUntil(lambda: not window.state.overlays.waiting)


def span_of(window, word):
    text = window.state.session.case.explanation.student.text
    return Span(text.index(word), text.index(word) + len(word))


def click_word(window, word, modifier=Qt.KeyboardModifier.NoModifier):
    view = window.reading.rationales.student.view
    at = view.rectangle_of(span_of(window, word)).center()
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, modifier, at)


def test_an_opened_file_is_listed_shown_and_explained(qtbot, window):
    explained(qtbot, window)
    tree = window.studies.tree
    patient = tree.topLevelItem(0)
    assert patient.text(0) == "Doe Jane (P-17)"
    assert patient.child(0).text(0) == "2024-01-31"
    assert patient.child(0).child(0).text(0) == "a.dcm"
    assert tree.currentItem() is patient.child(0).child(0)
    assert not patient.child(0).child(0).icon(0).isNull()
    assert window.reading.findings.conditions()[:2] == (Condition.PLEURAL_EFFUSION, Condition.CARDIOMEGALY)
    assert "moderate left pleural effusion" in window.reading.rationales.student.view.toPlainText()
    assert "Fluid has collected" in window.reading.rationales.teacher.view.toPlainText()
    assert window.reading.rationales.teacher.origin.text().endswith("written by SmolLM2-135M-Instruct")
    assert "student-demo" in window.status.models.text()


def test_the_teacher_s_text_says_whether_a_clinician_has_reviewed_it(qtbot, window, explanation):
    rationales = window.reading.rationales
    rationales.show_explanation(explanation)
    assert rationales.teacher.review.text() == "Not reviewed by a clinician"
    assert rationales.student.review.text() == ""
    review = Review(ReviewStatus.ACCEPTED, "A. Name", "2026-11-25")
    first, *rest = explanation.teacher.sentences
    sentences = (replace(first, review=review), *(replace(s, review=Review()) for s in rest))
    rationales.show_explanation(replace(explanation, teacher=replace(explanation.teacher, sentences=sentences)))
    assert rationales.teacher.review.text().startswith("Reviewed by A. Name, 2026-11-25: sentence 1\nNot reviewed")


def test_a_rationale_comes_with_its_overlay(qtbot, window, engines):
    explained(qtbot, window)
    (request,) = engines.last.of(Attribute)
    assert request.target == condition_target(Condition.PLEURAL_EFFUSION)
    assert window.reading.findings.selected() is Condition.PLEURAL_EFFUSION
    before = window.canvas.to_image()
    window.action("overlay.show").trigger()
    assert window.canvas.to_image() != before


def test_the_banner_is_there_and_cannot_be_closed(window):
    assert window.banner.isVisible()
    assert window.banner.text() == NOTICE == Explanation.notice
    assert "not a medical device" in NOTICE.lower()


def test_the_patient_is_in_the_window_but_not_in_its_title(qtbot, window, caplog):
    explained(qtbot, window)
    assert window.windowTitle() == TITLE
    assert "Doe" not in caplog.text
    assert "P-17" not in window.settings_file.path.read_text()


def test_clicking_a_finding_asks_where_it_was_seen(qtbot, window, engines):
    explained(qtbot, window)
    rows = window.reading.findings.list
    row = window.reading.findings.conditions().index(Condition.EDEMA)
    at = rows.visualItemRect(rows.item(row)).center()
    QTest.mouseClick(rows.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert engines.last.of(Attribute)[-1].target == condition_target(Condition.EDEMA)
    qtbot.waitUntil(lambda: window.state.overlays.shown.target.condition is Condition.EDEMA)


def test_findings_can_be_put_in_the_usual_order(qtbot, window):
    explained(qtbot, window)
    window.reading.findings.order.setCurrentText(FindingsOrder.USUAL)
    assert window.reading.findings.conditions() == CONDITIONS
    assert window.reading.findings.selected() is Condition.PLEURAL_EFFUSION
    assert window.settings.findings_order == FindingsOrder.USUAL
    window.reading.findings.order.setCurrentText(FindingsOrder.PROBABILITY)
    first, second, third, *_ = window.reading.findings.conditions()
    assert (first, second, third) == (Condition.PLEURAL_EFFUSION, Condition.CARDIOMEGALY, Condition.LUNG_OPACITY)


def test_present_findings_come_before_likelier_absent_ones(qtbot):
    panel = FindingsPanel("an order of another version")
    qtbot.addWidget(panel)
    panel.show_findings(
        (
            Finding(Condition.EDEMA, State.NEGATIVE, 0.6, 0.7),
            Finding(Condition.FRACTURE, State.UNCERTAIN, 0.3, 0.4),
            Finding(Condition.ATELECTASIS, State.POSITIVE, 0.2, 0.1),
            Finding(Condition.PNEUMONIA, State.POSITIVE, 0.25, 0.2),
        )
    )
    wanted = (Condition.PNEUMONIA, Condition.ATELECTASIS, Condition.FRACTURE, Condition.EDEMA)
    assert panel.conditions() == wanted


@pytest.mark.parametrize("word", ["moderate", "costophrenic", "pneumothorax"])
def test_clicking_a_word_asks_for_that_word(qtbot, window, engines, word):
    explained(qtbot, window)
    click_word(window, word)
    assert engines.last.of(Attribute)[-1].target == SaliencyTarget(TargetKind.WORD, span=span_of(window, word))
    assert window.reading.findings.selected() is None


def test_shift_click_and_the_number_ask_for_the_sentence(qtbot, window, engines):
    explained(qtbot, window)
    wanted = SaliencyTarget(TargetKind.SENTENCE, span=span_of(window, "The heart is enlarged."))
    click_word(window, "enlarged", Qt.KeyboardModifier.ShiftModifier)
    assert engines.last.of(Attribute)[-1].target == wanted
    window.state.overlays.pin(None)
    gutter = window.reading.rationales.student.view.gutter
    QTest.mouseClick(gutter, Qt.MouseButton.LeftButton, pos=gutter.rectangle(2).center())
    assert window.state.overlays.pinned == wanted


def test_pointing_at_a_word_marks_its_sentence_the_teachers_match_and_previews_the_word(qtbot, window, engines):
    explained(qtbot, window)
    view, teacher = window.reading.rationales.student.view, window.reading.rationales.teacher.view
    span = span_of(window, "costophrenic")
    QTest.mouseMove(view.viewport(), view.rectangle_of(span).center())
    assert (view.hovered_sentence, view.hovered_word) == (1, span)
    assert teacher.linked_sentences == (1,)
    qtbot.waitUntil(lambda: window.state.overlays.previewed == SaliencyTarget(TargetKind.WORD, span=span))
    assert engines.last.of(Attribute)[-1].target.span == span
    QTest.mouseMove(view.viewport(), QPoint(view.viewport().width() - 2, view.viewport().height() - 2))
    qtbot.waitUntil(lambda: window.state.overlays.previewed is None)
    assert window.state.overlays.shown.target == condition_target(Condition.PLEURAL_EFFUSION)


def test_a_sentence_of_the_teacher_stands_for_its_condition(qtbot, window, engines):
    explained(qtbot, window)
    gutter = window.reading.rationales.teacher.view.gutter
    QTest.mouseClick(gutter, Qt.MouseButton.LeftButton, pos=gutter.rectangle(2).center())
    assert engines.last.of(Attribute)[-1].target == condition_target(Condition.CARDIOMEGALY)


def test_words_are_reached_from_the_keyboard(qtbot, window, engines):
    explained(qtbot, window)
    view = window.reading.rationales.student.view
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Return):
        QTest.keyClick(view, key)
    # The second word of the second sentence, "The left costophrenic angle is blunted."
    start = span_of(window, "left costophrenic").start
    assert engines.last.of(Attribute)[-1].target == SaliencyTarget(TargetKind.WORD, span=Span(start, start + 4))


def test_text_appears_while_the_student_writes_and_cancel_keeps_it(qtbot, make_window, engines):
    engines.answers = False
    window = make_window()
    open_case(qtbot, window)
    request = engines.last.of(Explain)[0]
    engines.last.stream(request, "There is a moderate left")
    view = window.reading.rationales.student.view
    qtbot.waitUntil(lambda: "moderate left" in view.toPlainText())
    assert window.status.progress.isVisible()
    assert window.status.stage.text().startswith("Writing the rationale")
    window.status.cancel_button.click()
    assert engines.last.canceled == [request.id]
    engines.last.on_event(Canceled(request.id))
    qtbot.waitUntil(lambda: not window.status.progress.isVisible())
    assert view.toPlainText() == "There is a moderate left"
    assert "not complete" in window.reading.rationales.student.origin.text()


def test_a_refusal_is_said_in_the_window_and_the_image_stays(qtbot, make_window, engines):
    engines.answers = False
    window = make_window()
    open_case(qtbot, window)
    engines.last.on_event(Declined(engines.last.of(Explain)[0].id, "This is a lateral view.", "Open a frontal one."))
    qtbot.waitUntil(window.messages.isVisible)
    assert window.messages.text() == "This is a lateral view.\nOpen a frontal one."
    assert "lateral view" in window.reading.waiting.label.text()
    assert window.canvas.radiograph() is not None


def test_after_the_worker_died_the_case_is_open_and_retry_works(qtbot, make_window, engines):
    engines.answers = False
    window = make_window()
    open_case(qtbot, window)
    request = engines.last.of(Explain)[0]
    engines.last.stream(request, "There is")
    engines.last.on_event(WorkerDied("", "The model process was killed.", "Press Retry.", (request.id,)))
    qtbot.waitUntil(window.messages.isVisible)
    assert "The model process was killed." in window.messages.text()
    assert window.canvas.radiograph() is not None
    assert window.reading.rationales.student.view.toPlainText() == "There is"
    engines.last.answers = True
    window.messages.retry_button.click()
    assert not window.messages.isVisible()
    qtbot.waitUntil(lambda: window.state.session.case.phase is Phase.EXPLAINED)


def test_a_failed_overlay_leaves_the_text_and_offers_to_try_again(qtbot, make_window, engines):
    window = make_window()
    explained(qtbot, window)
    engines.last.answers = False
    click_word(window, "moderate")
    request = engines.last.of(Attribute)[-1]
    engines.last.on_event(Failed(request.id, "Not enough memory.", "Close something."))
    qtbot.waitUntil(window.messages.isVisible)
    assert window.messages.retry_button.isVisible()
    assert "moderate" in window.reading.rationales.student.view.toPlainText()


def test_an_overlay_that_does_not_fit_the_image_is_told_and_not_shown(qtbot, make_window, engines):
    window = make_window()
    explained(qtbot, window)
    engines.last.answers = False
    click_word(window, "moderate")
    request = engines.last.of(Attribute)[-1]
    engines.last.attribute(request, np.ones((COLUMNS, ROWS), np.float32))
    qtbot.waitUntil(window.messages.isVisible)
    assert "overlay" in window.messages.text().lower()


def test_files_that_cannot_be_read_are_listed_with_their_reasons(qtbot, window):
    window.open_paths([Path("a.dcm"), Path("broken1.dcm"), Path("broken2.dcm")])
    qtbot.waitUntil(lambda: window.studies.skipped_list.count() == 2)
    assert window.studies.skipped_button.text() == "Could not be read (2)"
    assert not window.studies.skipped_list.isVisible()
    window.studies.skipped_button.click()
    assert window.studies.skipped_list.isVisible()
    assert window.studies.skipped_list.item(0).text() == "broken1.dcm: It is cut short."


def test_a_single_file_that_cannot_be_opened_is_told_at_once(qtbot, window):
    window.open_paths([Path("broken.dcm")])
    qtbot.waitUntil(window.messages.isVisible)
    assert window.messages.text() == "broken.dcm: It is cut short."


def test_pixels_that_cannot_be_read_are_told_where_the_image_would_be(qtbot, make_window):
    def read(source):
        raise KDistillError("The pixel data of a.dcm end too early.", "Copy the file again.")

    window = make_window(read=read)
    window.open_paths([Path("a.dcm")])
    qtbot.waitUntil(window.messages.isVisible)
    assert window.messages.text() == "The pixel data of a.dcm end too early.\nCopy the file again."
    assert window.state.session.case.phase is Phase.UNREADABLE


def test_files_can_be_dropped_on_the_window(qtbot, window):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile("/somewhere/a.dcm")])
    event = QDropEvent(
        QPointF(5, 5), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    window.dropEvent(event)
    qtbot.waitUntil(lambda: window.state.session.case is not None)
    assert window.state.session.case.source.path == str(Path("/somewhere/a.dcm"))
    assert window.settings.recent == [str(Path("/somewhere/a.dcm").absolute())]


def test_nothing_in_the_window_swallows_a_drop(qtbot, window):
    """A drop goes to the innermost widget that accepts any, so only the two that open files may."""
    explained(qtbot, window)
    assert [widget for widget in window.findChildren(QWidget) if widget.acceptDrops()] == [window.canvas]
    assert window.acceptDrops()


def test_reading_first_hides_reading_and_overlay_until_asked(qtbot, make_window):
    window = make_window(Settings(read_first=True))
    explained(qtbot, window)
    assert window.reading.currentWidget() is window.reading.first_reading
    before = window.canvas.to_image()
    window.reading.first_reading.button.click()
    assert window.reading.currentWidget() is window.reading.splitter
    assert window.canvas.to_image() != before


def test_the_screenshot_is_what_the_canvas_shows(qtbot, window, tmp_path):
    explained(qtbot, window)
    shown = window.canvas.to_image()
    window.commands.write_screenshot(tmp_path / "shot.png")
    assert QImage(str(tmp_path / "shot.png")).convertToFormat(shown.format()) == shown
    window.commands.write_screenshot(tmp_path / "no" / "folder" / "shot.png")
    assert "could not be written" in window.messages.text()


def test_the_explanation_is_saved_without_the_patient(qtbot, window, tmp_path):
    explained(qtbot, window)
    window.commands.write_explanation(tmp_path / "out")
    qtbot.waitUntil(lambda: window.messages.isVisible() and "Saved in" in window.messages.text(), timeout=60_000)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["explanation.json", "report.html", "side-by-side.png"]
    assert "Doe" not in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_splitters_and_style_come_back(qtbot, make_window):
    window = make_window()
    window.columns.setSizes([200, 500, 400])
    window.overlay_bar.opacity.setValue(33)
    before = window.columns.sizes()
    window.close()
    again = make_window(window.settings_file.load())
    # The screen of the tests is smaller than the window: the proportions are what comes back.
    after = again.columns.sizes()
    assert [size / sum(after) for size in after] == pytest.approx([size / sum(before) for size in before], abs=0.01)
    assert again.overlay_bar.style_shown.opacity == 0.33


@pytest.mark.qt_log_ignore("This plugin does not support propagateSizeHints")  # said of dialogs by "offscreen"
def test_every_action_has_a_working_handler_without_an_image(qtbot, make_window, monkeypatch):
    window = make_window()
    for name in ("getOpenFileNames", "getSaveFileName"):
        monkeypatch.setattr(f"PySide6.QtWidgets.QFileDialog.{name}", lambda *_: ("", ""))
    monkeypatch.setattr("PySide6.QtWidgets.QFileDialog.getExistingDirectory", lambda *_: "")
    for action_id, action in window.actions_by_id.items():
        if action_id not in ("file.quit", "file.open-demo"):
            action.trigger()
    for dialog in window.findChildren(QDialog):
        dialog.close()


def test_the_window_is_painted_before_anything_around_the_image_is_made(qtbot, engines, make_radiograph, tmp_path):
    post = QtPost()
    state = AppState(Services(engines.start, make_radiograph, find), post, ModelChoice())
    window = MainWindow(state, Settings(), SettingsFile(tmp_path / "viewer.json"))
    assert not window.complete
    assert not engines.started
    window.show()
    qtbot.waitUntil(lambda: window.complete)
    assert engines.started
    window.close()


HEAVY = ("torch", "transformers", "captum", "accelerate", "tokenizers")


def test_the_viewers_process_never_imports_a_model_library(tmp_path):
    """Open a real file in a process of its own, wait for it to be on screen, and look at what was imported."""
    import pydicom.data

    path = pydicom.data.get_testdata_file("CT_small.dcm", download=False)
    script = (
        "import sys\n"
        "from kdistill_viewer.app import build, parse\n"
        f"application, window = build(parse([{path!r}, '--settings', {str(tmp_path / 'viewer.json')!r}]))\n"
        "window.show()\n"
        "while window.canvas.radiograph() is None:\n"
        "    application.processEvents()\n"
        "window.canvas.to_image()\n"
        "window.close()\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "[]", done.stderr
