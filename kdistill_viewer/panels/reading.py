"""The right side: the findings above both rationales, or the reason why there are none."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QPushButton, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from kdistill_viewer.panels.findings import FindingsPanel
from kdistill_viewer.panels.rationales import RationalesPanel
from kdistill_viewer.state.case import Case, Phase

_WAITING = {
    Phase.OPENING: "Reading the image\N{HORIZONTAL ELLIPSIS}",
    Phase.READY: "The student has not been asked about this image yet.",
    Phase.EXPLAINING: "The student looks at the image\N{HORIZONTAL ELLIPSIS}",
    Phase.CANCELED: "The reading was canceled before the student had said anything.",
    Phase.FAILED: "The reading could not be finished.",
}
_STREAM_STATUS = {
    Phase.EXPLAINING: "The student is writing\N{HORIZONTAL ELLIPSIS}",
    Phase.CANCELED: "Canceled here: not complete",
    Phase.FAILED: "Interrupted here: not complete",
}


class ReadingPanel(QStackedWidget):
    """Shows a case as far as it has been read. The model's reading stays hidden while the reader reads first."""

    revealed = Signal()
    explain_asked = Signal()

    def __init__(self, findings_order: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.findings = FindingsPanel(findings_order)
        self.rationales = RationalesPanel()
        self.splitter = QSplitter(Qt.Orientation.Vertical)
        self.splitter.setObjectName("reading")
        self.splitter.addWidget(self.findings)
        self.splitter.addWidget(self.rationales)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setSizes([self.findings.preferred_height(), 10_000])
        self.waiting = _Page()
        self.waiting.button.setText("Ask the student")
        self.waiting.button.clicked.connect(self.explain_asked)
        self.first_reading = _Page()
        self.first_reading.label.setText("Your reading comes first. The model's reading is hidden.")
        self.first_reading.button.setText("Show the model's reading")
        self.first_reading.button.clicked.connect(self.revealed)
        for page in (self.waiting, self.first_reading, self.splitter):
            self.addWidget(page)
        self.show_case(None)

    def show_case(self, case: Case | None) -> None:
        """Show what is known of a case; None while no image is open."""
        if case is None:
            self._wait("Open a chest radiograph to have it read.", ask=False)
        elif not case.revealed and case.phase in (Phase.EXPLAINING, Phase.EXPLAINED, Phase.CANCELED, Phase.READY):
            self.setCurrentWidget(self.first_reading)
        elif case.phase in (Phase.UNREADABLE, Phase.DECLINED):
            self._wait(f"No reading. {case.problem}\n\n{case.advice}", ask=False)
        elif case.findings:
            self._show_findings(case)
        else:
            self._wait(_WAITING.get(case.phase, ""), ask=case.phase in (Phase.READY, Phase.CANCELED, Phase.FAILED))

    def show_text(self, case: Case) -> None:
        """Show what the student has written so far."""
        self.rationales.show_streamed(case.text, _STREAM_STATUS.get(case.phase, ""))

    def _show_findings(self, case: Case) -> None:
        self.findings.show_findings(case.findings)
        if case.phase is Phase.EXPLAINED and case.explanation is not None:
            self.rationales.show_explanation(case.explanation)
        else:
            self.show_text(case)
        self.setCurrentWidget(self.splitter)

    def _wait(self, text: str, *, ask: bool) -> None:
        self.waiting.label.setText(text)
        self.waiting.button.setVisible(ask)
        self.setCurrentWidget(self.waiting)


class _Page(QWidget):
    """A line of text and a button, in the middle."""

    def __init__(self) -> None:
        super().__init__()
        self.label = QLabel()
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        self.label.setWordWrap(True)
        self.label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.button = QPushButton()
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 24)
        column.addStretch()
        column.addWidget(self.label)
        column.addWidget(self.button, alignment=Qt.AlignmentFlag.AlignHCenter)
        column.addStretch()
