"""A message above the image that does not stop the work: what happened, what to do, and to try again."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from kdistill_viewer.state.notices import Notice, NoticeKind
from kdistill_viewer.theme import tokens

_EDGES = {
    NoticeKind.INFORMATION: tokens.FOCUS,
    NoticeKind.REFUSAL: tokens.WARNING,
    NoticeKind.PROBLEM: tokens.ERROR,
}


class MessageBar(QWidget):
    """Shows the latest notice until it is dismissed or its work is begun again."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("message-bar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.notice: Notice | None = None
        self._text = QLabel()
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setWordWrap(True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._kind = QLabel()
        self.retry_button = QPushButton("Retry")
        self.retry_button.clicked.connect(self._retry)
        self.dismiss_button = QPushButton("Dismiss")
        self.dismiss_button.clicked.connect(self.clear)
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 6, 10, 6)
        row.addWidget(self._kind)
        row.addWidget(self._text, stretch=1)
        row.addWidget(self.retry_button)
        row.addWidget(self.dismiss_button)
        self.hide()

    def text(self) -> str:
        return self._text.text()

    def show_notice(self, notice: Notice) -> None:
        """Show a notice in place of the one before."""
        self.notice = notice
        edge = _EDGES[notice.kind]
        self.setStyleSheet(f"#message-bar {{ background: {tokens.RAISED}; border-left: 4px solid {edge}; }}")
        self._kind.setText(notice.kind.value)
        self._kind.setStyleSheet(f"color: {edge}; font-weight: bold;")
        self._text.setText(f"{notice.problem}\n{notice.advice}" if notice.advice else notice.problem)
        self.retry_button.setVisible(notice.retry is not None)
        self.show()

    def clear(self) -> None:
        self.notice = None
        self.hide()

    def _retry(self) -> None:
        notice = self.notice
        self.clear()
        if notice is not None and notice.retry is not None:
            notice.retry()
