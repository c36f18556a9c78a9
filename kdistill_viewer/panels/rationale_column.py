"""One side of the comparison: who wrote it, from where, and the text."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from kdistill_core.records import Rationale, RationaleAuthor
from kdistill_viewer.panels.rationale_view import RationaleView


class RationaleColumn(QWidget):
    """A heading in the author's color, a line that says where the text comes from, and the text."""

    def __init__(self, title: str, color: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.heading = QLabel(title)
        self.heading.setStyleSheet(f"color: {color}; font-weight: bold;")
        # Room for two lines of origin and one of review on both sides, so that both texts begin at the same height.
        self.origin = _wrapping_label(lines=2)
        self.review = _wrapping_label(lines=1)
        self.view = RationaleView(f"{title}'s rationale")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.heading)
        column.addWidget(self.origin)
        column.addWidget(self.review)
        column.addWidget(self.view, stretch=1)

    def set_origin(self, text: str, review: str = "") -> None:
        """Show where the text comes from, and what clinicians say of it."""
        self.origin.setText(text)
        self.review.setText(review)


def _wrapping_label(lines: int) -> QLabel:
    """Return a label for plain text that wraps rather than widening the window, with room for ``lines``."""
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    label.setMinimumHeight(lines * label.fontMetrics().lineSpacing() + 4)
    label.setAlignment(Qt.AlignmentFlag.AlignTop)
    return label


def student_origin(rationale: Rationale) -> str:
    """Return who wrote the student's rationale, and whether it is whole."""
    name = " ".join(part for part in (rationale.provenance.model_name, rationale.provenance.model_version) if part)
    text = f"Written now by {name}" if name else "Written now by the student model"
    return text if rationale.complete else f"{text}; not complete"


def teacher_origin(rationale: Rationale) -> str:
    """Return where the teacher's rationale comes from."""
    name = rationale.provenance.model_name or "a language model"
    match rationale.author:
        case RationaleAuthor.LIBRARY:
            return f"From the rationale library, written by {name}"
        case RationaleAuthor.KNOWLEDGE:
            return "From the knowledge base, not by a language model"
        case _:
            return f"Written now by {name}"
