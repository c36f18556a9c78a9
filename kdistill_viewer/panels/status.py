"""The bottom line: the work under way with its progress and a button to stop it, and the models in use."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QProgressBar, QPushButton, QStatusBar, QWidget

from kdistill_core.engine.messages import Loaded
from kdistill_viewer.state.jobs import Job, Jobs

_WIDEST = 400  # logical pixels
_MARGIN = 6  # logical pixels between the window's edge and what stands in the line


class StatusBar(QStatusBar):
    """Follows the jobs; stays still while nothing goes on."""

    def __init__(self, jobs: Jobs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizeGripEnabled(False)
        self.setContentsMargins(_MARGIN, 0, _MARGIN, 0)
        self.stage = QLabel("Ready")
        self.progress = QProgressBar()
        self.progress.setFixedWidth(160)
        self.progress.setTextVisible(False)
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.clicked.connect(jobs.cancel_current)
        self.reading = QLabel()
        self.models = QLabel()
        self._set(self.models, "Models: not loaded yet")
        for widget in (self.cancel_button, self.progress, self.stage):
            self.addWidget(widget)
        self.addPermanentWidget(self.reading)
        self.addPermanentWidget(self.models)
        jobs.changed.connect(self.show_job)
        self.show_job(jobs.current)

    def show_job(self, job: Job | None) -> None:
        """Show a job, or that nothing goes on."""
        self._set(self.stage, "Ready" if job is None else f"{job.text}\N{HORIZONTAL ELLIPSIS}")
        self.progress.setVisible(job is not None)
        self.cancel_button.setVisible(job is not None and job.cancel is not None)
        if job is None:
            return
        if job.fraction is None:
            self.progress.setRange(0, 0)
        else:
            self.progress.setRange(0, 100)
            self.progress.setValue(round(100 * job.fraction))

    def show_models(self, loaded: Loaded) -> None:
        """Say which models answer, and on which device."""
        place = ", ".join(part for part in (loaded.device, loaded.precision) if part)
        self._set(self.models, f"Student: {loaded.student} on {place}")
        self.models.setToolTip(f"Student: {loaded.student}\nTeacher: {loaded.teacher}\nOn {place}")

    def _set(self, label: QLabel, text: str) -> None:
        """Show a text as far as there is room; a label as wide as its text would widen the whole window."""
        label.setText(label.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, _WIDEST))
        label.setToolTip(text)
