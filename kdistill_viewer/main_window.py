"""The window: the image in the middle, studies on the left, findings and rationales on the right.

It is shown with the canvas alone; panels, menus and tool bar are made right after the first paint.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QByteArray, Qt, Signal
from PySide6.QtGui import QAction, QCloseEvent, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QMainWindow, QSplitter, QVBoxLayout, QWidget

from kdistill_core.records import Window
from kdistill_viewer.canvas import ImageCanvas
from kdistill_viewer.first_paint import FirstPaint
from kdistill_viewer.panels.banner import Banner
from kdistill_viewer.panels.message_bar import MessageBar
from kdistill_viewer.settings import Settings, SettingsFile
from kdistill_viewer.state.app_state import AppState
from kdistill_viewer.state.jobs import Job
from kdistill_viewer.state.notices import Notice, NoticeKind

logger = logging.getLogger(__name__)

Result = TypeVar("Result")
TITLE = "K-Distill"  # never more: a window title reaches task bars and logs, and names of files name patients
_MINIMUM = (1100, 700)
_USUAL = (1500, 940)
# The parts of the width for the studies and for the reading; the image gets the rest.
_STUDIES_PART, _READING_PART = 0.16, 0.36


class MainWindow(QMainWindow):
    """Holds the parts together; what they do to each other is in :mod:`kdistill_viewer.wiring`."""

    ready = Signal()  # painted and complete

    def __init__(self, state: AppState, settings: Settings, settings_file: SettingsFile) -> None:
        super().__init__()
        self.state = state
        self.settings = settings
        self.settings_file = settings_file
        self.complete = False
        self._jobs_started = 0
        self.setWindowTitle(TITLE)
        self.setAcceptDrops(True)
        self.setMinimumSize(*_MINIMUM)
        self.banner = Banner()
        self.messages = MessageBar()
        self.canvas = ImageCanvas()
        self.columns = QSplitter(Qt.Orientation.Horizontal)
        self.columns.setObjectName("columns")
        self.columns.setChildrenCollapsible(False)
        # Empty for now, as wide as what will fill them, so that the image does not jump when it does.
        self._left, self._right = QWidget(), QWidget()
        for widget in (self._left, self.canvas, self._right):
            self.columns.addWidget(widget)
        self.columns.setStretchFactor(1, 1)
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.banner)
        column.addWidget(self.messages)
        column.addWidget(self.columns, stretch=1)
        self.setCentralWidget(middle)
        if not (settings.geometry and self.restoreGeometry(_decoded(settings.geometry))):
            self.resize(*_USUAL)
        self.columns.setSizes(_columns(self.width(), settings.splitters.get("columns", [])))
        FirstPaint(self.canvas, self.build)

    def build(self) -> None:
        """Make everything around the image and start the engine; called once, after the first paint."""
        if self.complete:
            return
        from kdistill_viewer import parts, wiring

        sizes = self.columns.sizes()
        self.complete = True
        made = parts.make_parts(self)
        self.commands = made.commands
        self.action_table, self.actions_by_id, self.menus = made.action_table, made.actions_by_id, made.menus
        self.studies, self.reading = made.studies, made.reading
        self.overlay_bar, self.presets_menu, self.status = made.overlay_bar, made.presets_menu, made.status
        self.columns.replaceWidget(0, self.studies)
        self.columns.replaceWidget(2, self.reading)
        self.columns.setSizes(sizes)
        # From left to right, as the eye goes.
        self.setTabOrder(self.studies.tree, self.canvas)
        self.setTabOrder(self.canvas, self.reading.findings.order)
        for splitter in self._splitters()[1:]:
            if splitter.objectName() in self.settings.splitters:
                splitter.setSizes(self.settings.splitters[splitter.objectName()])
        wiring.connect(self)
        if self.settings_file.message:
            self.show_notice(Notice(NoticeKind.INFORMATION, self.settings_file.message))
        self.state.engine.load()
        self.ready.emit()

    def open_paths(self, paths: list[Path], *, remember: bool = True) -> None:
        """Open files and folders, and note them among the recent ones."""
        if not paths:
            return
        if remember:
            for path in reversed(paths):
                self.settings.remember(path)
            self.settings.last_folder = str(paths[0] if paths[0].is_dir() else paths[0].parent)
            self.save_settings()
        self.state.studies.open(paths)

    def presets(self) -> tuple[Window, ...]:
        """The windows that the image on screen offers."""
        radiograph = self.canvas.radiograph()
        if radiograph is None:
            return ()
        from kdistill_core.imaging.display import presets

        return presets(radiograph)

    def run_job(self, text: str, work: Callable[[], Result], done: Callable[[Result], None]) -> None:
        """Do ``work`` in the background, shown in the status bar; its failure becomes a notice."""
        self._jobs_started += 1
        job_id = f"window-{self._jobs_started}"
        self.state.jobs.start(Job(job_id, text))
        self.state.background.run(
            work,
            done=done,
            failed=lambda error: self.show_notice(Notice(NoticeKind.PROBLEM, error.problem, error.advice)),
            finished=lambda: self.state.jobs.finish(job_id),
        )

    def show_notice(self, notice: Notice) -> None:
        self.messages.show_notice(notice)

    def save_settings(self) -> None:
        """Write the settings; a folder that cannot be written is told, not fatal."""
        try:
            self.settings_file.save(self.settings)
        except OSError as error:
            problem = f"The settings could not be saved in {self.settings_file.path} ({error.strerror})."
            self.show_notice(Notice(NoticeKind.INFORMATION, problem, "They are in use until the program ends."))

    def closeEvent(self, event: QCloseEvent) -> None:
        self.settings.geometry = base64.b64encode(self.saveGeometry().data()).decode("ascii")
        if self.complete:
            self.settings.splitters = {splitter.objectName(): splitter.sizes() for splitter in self._splitters()}
        self.save_settings()
        # Ending a busy worker takes a moment; the window does not stand there frozen meanwhile.
        self.hide()
        if not self.state.close():
            logger.warning("A background thread was still running when the window closed.")
        super().closeEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()
        self.open_paths([Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()])

    def action(self, action_id: str) -> QAction:
        return self.actions_by_id[action_id]

    def _splitters(self) -> tuple[QSplitter, ...]:
        return (self.columns, self.reading.splitter, self.reading.rationales.splitter)


def _decoded(geometry: str) -> QByteArray:
    return QByteArray.fromBase64(geometry.encode("ascii", errors="ignore"))


def _columns(width: int, saved: list[int]) -> list[int]:
    """Return the widths of the columns: as they were saved, in proportion to a window that may be narrower now."""
    if len(saved) == 3 and sum(saved) > 0:
        return [round(part * width / sum(saved)) for part in saved]
    studies, reading = round(width * _STUDIES_PART), round(width * _READING_PART)
    return [studies, width - studies - reading, reading]
