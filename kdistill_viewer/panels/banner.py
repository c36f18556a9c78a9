"""The line that says what this program is not. It has no way to be closed."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QWidget

from kdistill_core.records import Explanation
from kdistill_viewer.theme import tokens

# The text that every explanation and every export carries.
NOTICE: str = Explanation.notice


class Banner(QLabel):
    """The notice that this is research software."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(NOTICE, parent)
        self.setObjectName("banner")
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)
        self.setStyleSheet(
            f"#banner {{ background: {tokens.NOTICE_SURFACE}; color: {tokens.NOTICE_TEXT}; padding: 3px;"
            f" border-bottom: 1px solid {tokens.BORDER}; }}"
        )
