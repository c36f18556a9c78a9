"""Both rationales side by side: what the student says of this image, what the teacher says of these findings."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QLabel, QSizePolicy, QSplitter, QVBoxLayout, QWidget

from kdistill_core.exchange.presentation import numbered_review_line
from kdistill_core.records import Explanation, SaliencyTarget, Span, TargetKind
from kdistill_viewer.panels.rationale_column import RationaleColumn, student_origin, teacher_origin
from kdistill_viewer.panels.verdict_mark import legend_html
from kdistill_viewer.state.rationale_text import (
    SideVerdicts,
    sentence_target,
    student_side,
    teacher_side,
    teacher_target,
    word_target,
)
from kdistill_viewer.theme import tokens

# How long the pointer rests before an overlay is computed for what is under it; moving across the text to something
# else must not start work. Chosen by hand on the demo model.
DWELL_MS = 300
_WARNINGS_SHOWN = 1
HINT = "Point at a word for its overlay, click to keep it; the number is the sentence."


class RationalesPanel(QWidget):
    """Shows an explanation and says which target the reader points at or clicks."""

    pinned = Signal(object)  # SaliencyTarget
    previewed = Signal(object)  # SaliencyTarget | None

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.student = RationaleColumn("Student", tokens.STUDENT)
        self.teacher = RationaleColumn("Teacher", tokens.TEACHER)
        # A word of the teacher, who saw no image, has no place in it; its sentence's condition has.
        self.teacher.view.words_answer = False
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setObjectName("rationales")
        self.splitter.addWidget(self.student)
        self.splitter.addWidget(self.teacher)
        self.splitter.setChildrenCollapsible(False)
        self.legend = QLabel(legend_html())
        self.legend.setAccessibleName("Marks: = agreed, not equal: contradicted, S only student, T only teacher")
        self.hint = QLabel(HINT)
        self.warnings = QLabel()
        self.warnings.setTextFormat(Qt.TextFormat.PlainText)
        self.warnings.setStyleSheet(f"color: {tokens.WARNING};")
        self.warnings.hide()
        for label in (self.warnings, self.legend, self.hint):
            label.setWordWrap(True)
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.hint.setStyleSheet(f"color: {tokens.TEXT_MUTED};")
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 6, 6, 6)
        column.setSpacing(4)
        column.addWidget(self.splitter, stretch=1)
        column.addWidget(self.warnings)
        column.addWidget(self.legend)
        column.addWidget(self.hint)
        self._explanation: Explanation | None = None
        self._pointed_at: SaliencyTarget | None = None
        self._dwell = QTimer(self, singleShot=True, interval=DWELL_MS)
        self._dwell.timeout.connect(lambda: self.previewed.emit(self._pointed_at))
        self._connect_student()
        self._connect_teacher()

    def clear(self) -> None:
        """Show nothing, as before an explanation."""
        self._explanation = None
        self._point_at(None)
        for side in (self.student, self.teacher):
            side.view.clear_rationale()
            side.set_origin("")
        self.warnings.hide()

    def show_streamed(self, text: str, status: str) -> None:
        """Show what the student has written so far, and in ``status`` whether it still writes."""
        if self._explanation is not None:
            self.clear()
        self.student.view.show_streamed(text)
        self.student.set_origin(status)

    def show_explanation(self, explanation: Explanation) -> None:
        """Show both rationales with the marks of their comparison."""
        self._explanation = explanation
        self._point_at(None)
        self.student.set_origin(student_origin(explanation.student))
        self.teacher.set_origin(teacher_origin(explanation.teacher), numbered_review_line(explanation.teacher))
        self._show_warnings(explanation.warnings)
        self.student.view.show_rationale(explanation.student, student_side(explanation.comparison))
        self.teacher.view.show_rationale(explanation.teacher, teacher_side(explanation.comparison))

    def _show_warnings(self, warnings: tuple[str, ...]) -> None:
        """Show the first notes; the text below needs its room, so the others are in the tooltip."""
        lines = [f"Note: {warning}" for warning in warnings]
        more = len(lines) - _WARNINGS_SHOWN
        shown = lines[:_WARNINGS_SHOWN] + ([f"{more} more: point here"] if more > 0 else [])
        self.warnings.setText("\n".join(shown))
        self.warnings.setToolTip("\n".join(lines))
        self.warnings.setVisible(bool(lines))

    def set_pinned(self, target: SaliencyTarget | None) -> None:
        """Mark what the overlay on screen was asked for."""
        span = None if target is None or target.kind is TargetKind.CONDITION else target.span
        self.student.view.set_pinned(span)

    def _connect_student(self) -> None:
        view = self.student.view
        view.sentence_hovered.connect(lambda index: self._link(index, view.side, self.teacher))
        view.word_hovered.connect(self._on_word_hovered)
        view.handle_hovered.connect(self._on_student_handle)
        view.word_clicked.connect(lambda span: self._pin(word_target(span)))
        view.sentence_clicked.connect(self._on_student_sentence)

    def _connect_teacher(self) -> None:
        view = self.teacher.view
        view.sentence_hovered.connect(self._on_teacher_hovered)
        view.sentence_clicked.connect(self._on_teacher_sentence)

    def _link(self, sentence: int | None, side: SideVerdicts, other: RationaleColumn) -> None:
        other.view.set_linked(() if sentence is None else side.matched.get(sentence, ()))

    def _on_word_hovered(self, span: Span | None) -> None:
        if span is not None:
            self._point_at(word_target(span))
        elif self.student.view.hovered_handle is None:
            self._point_at(None)

    def _on_student_handle(self, sentence: int | None) -> None:
        if sentence is not None and self._explanation is not None:
            self._point_at(sentence_target(self._explanation.student, sentence))
        elif self.student.view.hovered_word is None:
            self._point_at(None)

    def _on_teacher_hovered(self, sentence: int | None) -> None:
        self._link(sentence, self.teacher.view.side, self.student)
        explanation = self._explanation
        target = None if sentence is None or explanation is None else teacher_target(explanation.teacher, sentence)
        self._point_at(target)

    def _on_student_sentence(self, sentence: int) -> None:
        if self._explanation is not None:
            self._pin(sentence_target(self._explanation.student, sentence))

    def _on_teacher_sentence(self, sentence: int) -> None:
        if self._explanation is not None:
            self._pin(teacher_target(self._explanation.teacher, sentence))

    def _point_at(self, target: SaliencyTarget | None) -> None:
        self._pointed_at = target
        self._dwell.start()

    def _pin(self, target: SaliencyTarget | None) -> None:
        self._dwell.stop()
        if target is not None:
            self.pinned.emit(target)
