"""One rationale as text whose sentences and words answer to the pointer and the keyboard.

Each sentence stands on its own line with its number and, where the two explanations were compared, a mark at the
left edge. The number stands for the whole sentence; a word of the text stands for itself.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QKeyEvent,
    QMouseEvent,
    QResizeEvent,
    QTextCharFormat,
    QTextCursor,
)
from PySide6.QtWidgets import QTextEdit, QWidget

from kdistill_core.records import Rationale, Span
from kdistill_viewer.panels.sentence_gutter import GutterRow, SentenceGutter
from kdistill_viewer.state.rationale_text import ParagraphText, SideVerdicts, streamed_lines
from kdistill_viewer.theme import tokens

_NOTHING_COMPARED = SideVerdicts({}, {})


class RationaleView(QTextEdit):
    """Shows a rationale, or the part of it that has been written so far.

    Indices are those of the rationale's sentences, spans those of its text.
    """

    sentence_hovered = Signal(object)  # int | None
    word_hovered = Signal(object)  # Span | None
    handle_hovered = Signal(object)  # int | None: the pointer is on the number of a sentence
    sentence_clicked = Signal(int)
    word_clicked = Signal(object)  # Span

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setReadOnly(True)
        self.setTabChangesFocus(True)
        self.setAcceptDrops(False)
        self.setAccessibleName(name)
        self.setMouseTracking(True)
        self.viewport().setMouseTracking(True)
        self.viewport().setCursor(Qt.CursorShape.PointingHandCursor)
        self.document().setDocumentMargin(4)
        self.words_answer = True
        self.hovered_sentence: int | None = None
        self.hovered_word: Span | None = None
        self.hovered_handle: int | None = None
        self.linked_sentences: tuple[int, ...] = ()
        self.pinned: Span | None = None
        self.cursor_sentence: int | None = None
        self.cursor_word: int | None = None
        self._pressed_at: QPoint | None = None
        self._text: ParagraphText | None = None
        self.side = _NOTHING_COMPARED
        self.gutter = SentenceGutter(self)
        self.gutter.hovered.connect(self._hover_handle)
        self.gutter.clicked.connect(self.sentence_clicked)
        self.setViewportMargins(self.gutter.wanted_width(), 0, 0, 0)
        self.verticalScrollBar().valueChanged.connect(self._place_rows)
        self.document().documentLayout().documentSizeChanged.connect(self._place_rows)

    @property
    def rationale(self) -> Rationale | None:
        return None if self._text is None else self._text.rationale

    def show_streamed(self, text: str) -> None:
        """Show what has been written so far; it does not answer to the pointer yet."""
        at_end = self.verticalScrollBar().value() >= self.verticalScrollBar().maximum() - 2
        self._text = None
        self._forget_pointer()
        self.setPlainText(streamed_lines(text))
        if at_end:
            self.verticalScrollBar().setValue(self.verticalScrollBar().maximum())

    def show_rationale(self, rationale: Rationale, side: SideVerdicts = _NOTHING_COMPARED) -> None:
        """Show a finished rationale with the verdicts on its sentences."""
        self._text = ParagraphText(rationale)
        self.side = side
        self._forget_pointer()
        self.setPlainText(self._text.display)
        self._refresh()

    def clear_rationale(self) -> None:
        self._text = None
        self.side = _NOTHING_COMPARED
        self.pinned = None
        self._forget_pointer()
        self.clear()
        self._refresh()

    def set_pinned(self, span: Span | None) -> None:
        """Mark the words whose overlay is on screen."""
        self.pinned = span
        self._refresh()

    def set_linked(self, sentences: tuple[int, ...]) -> None:
        """Mark the sentences that match the one under the pointer on the other side."""
        self.linked_sentences = sentences
        self._refresh()
        if sentences:
            self.show_sentence(sentences[0])

    def sentence_of(self, span: Span) -> int | None:
        """Return the sentence in which a span begins."""
        return None if self._text is None else self._text.sentence_at(span.start)

    def rectangle_of(self, span: Span) -> QRect:
        """Return where a span begins and ends on its first line, in the coordinates of the viewport."""
        if self._text is None:
            return QRect()
        piece = self._text.positions(span)[0]
        start, end = self.textCursor(), self.textCursor()
        start.setPosition(piece.start)
        end.setPosition(piece.end)
        return self.cursorRect(start).united(self.cursorRect(end))

    # -- the pointer

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._hover(self._offset_at(event.position()))
        super().mouseMoveEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._pressed_at = event.position().toPoint()
        # Shift and click would select text from the cursor on; here it means the whole sentence.
        if not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        pressed, self._pressed_at = self._pressed_at, None
        moved = pressed is None or (event.position().toPoint() - pressed).manhattanLength() > 4
        if event.button() is not Qt.MouseButton.LeftButton or moved or self.textCursor().hasSelection():
            return
        offset = self._offset_at(event.position())
        if offset is None or self._text is None:
            return
        sentence, word = self._text.sentence_at(offset), self._text.word_at(offset)
        whole = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier) or not self.words_answer
        if whole and sentence is not None:
            self.sentence_clicked.emit(sentence)
        elif not whole and word is not None:
            self.word_clicked.emit(word)

    def leaveEvent(self, event: QEvent) -> None:
        self._hover(None)
        super().leaveEvent(event)

    def _hover_handle(self, sentence: int | None) -> None:
        self._set_hovered(sentence, None, sentence)

    def _hover(self, offset: int | None) -> None:
        if offset is None or self._text is None:
            self._set_hovered(None, None, None)
            return
        word = self._text.word_at(offset) if self.words_answer else None
        self._set_hovered(self._text.sentence_at(offset), word, None)

    def _set_hovered(self, sentence: int | None, word: Span | None, handle: int | None) -> None:
        old = (self.hovered_sentence, self.hovered_word, self.hovered_handle)
        if old == (sentence, word, handle):
            return
        self.hovered_sentence, self.hovered_word, self.hovered_handle = sentence, word, handle
        self._refresh()
        if old[0] != sentence:
            self.sentence_hovered.emit(sentence)
        if old[1] != word:
            self.word_hovered.emit(word)
        if old[2] != handle:
            self.handle_hovered.emit(handle)

    def _offset_at(self, point: QPointF) -> int | None:
        """Return the offset in the rationale of the character under a point, None beside the text."""
        if self._text is None:
            return None
        layout = self.document().documentLayout()
        scrolled = point + QPointF(self.horizontalScrollBar().value(), self.verticalScrollBar().value())
        position = layout.hitTest(scrolled, Qt.HitTestAccuracy.ExactHit)
        return self._text.offset(position)

    # -- the keyboard

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Up and Down walk through the sentences, Left and Right through the words of one, Enter chooses."""
        if self._text is None or event.modifiers() != Qt.KeyboardModifier.NoModifier:
            super().keyPressEvent(event)
            return
        match event.key():
            case Qt.Key.Key_Down:
                self._move_sentence(1)
            case Qt.Key.Key_Up:
                self._move_sentence(-1)
            case Qt.Key.Key_Right if self.words_answer:
                self._move_word(1)
            case Qt.Key.Key_Left if self.words_answer:
                self._move_word(-1)
            case Qt.Key.Key_Return | Qt.Key.Key_Enter:
                self._choose_at_cursor()
            case _:
                super().keyPressEvent(event)

    def _move_sentence(self, step: int) -> None:
        count = len(self._text.rationale.sentences) if self._text is not None else 0
        if count == 0:
            return
        before = -1 if self.cursor_sentence is None else self.cursor_sentence
        self.cursor_sentence = min(max(before + step, 0), count - 1)
        self.cursor_word = None
        self.show_sentence(self.cursor_sentence)
        self._set_hovered(self.cursor_sentence, None, self.cursor_sentence)

    def _move_word(self, step: int) -> None:
        if self._text is None or not self._text.rationale.sentences:
            return
        if self.cursor_sentence is None:
            self.cursor_sentence = 0
        words = self._text.words(self._text.rationale.sentences[self.cursor_sentence].span)
        if not words:
            return
        before = (-1 if step > 0 else 0) if self.cursor_word is None else self.cursor_word
        self.cursor_word = min(max(before + step, 0), len(words) - 1)
        self._set_hovered(self.cursor_sentence, words[self.cursor_word], None)

    def _choose_at_cursor(self) -> None:
        if self.hovered_word is not None:
            self.word_clicked.emit(self.hovered_word)
        elif self.hovered_sentence is not None:
            self.sentence_clicked.emit(self.hovered_sentence)

    # -- painting

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        inside = self.contentsRect()
        self.gutter.setGeometry(QRect(inside.left(), inside.top(), self.gutter.wanted_width(), inside.height()))
        self._place_rows()

    def _place_rows(self) -> None:
        """Tell the gutter where the sentences stand."""
        if self._text is None:
            self.gutter.set_rows(())
            return
        layout, rows = self.document().documentLayout(), []
        for number, paragraph in enumerate(self._text.paragraphs):
            if paragraph.sentence is None:
                continue
            place = layout.blockBoundingRect(self.document().findBlockByNumber(number))
            rows.append(
                GutterRow(
                    sentence=paragraph.sentence,
                    top=round(place.top()) - self.verticalScrollBar().value(),
                    height=round(place.height()),
                    verdict=self.side.verdicts.get(paragraph.sentence),
                    lit=paragraph.sentence == self.hovered_sentence or paragraph.sentence in self.linked_sentences,
                    pinned=paragraph.span == self.pinned,
                )
            )
        self.gutter.set_rows(tuple(rows))

    def show_sentence(self, sentence: int) -> None:
        """Scroll until a sentence is in sight."""
        place = self.gutter.rectangle(sentence)
        bar = self.verticalScrollBar()
        if place.top() < 0:
            bar.setValue(bar.value() + place.top())
        elif place.bottom() > self.viewport().height():
            bar.setValue(bar.value() + place.bottom() - self.viewport().height())

    def _forget_pointer(self) -> None:
        self._set_hovered(None, None, None)
        self.linked_sentences = ()
        self.cursor_sentence = self.cursor_word = None

    def _refresh(self) -> None:
        selections: list[QTextEdit.ExtraSelection] = []
        if self._text is not None:
            sentences = self._text.rationale.sentences
            selections += [s for i in self.linked_sentences for s in self._marked(sentences[i].span, tokens.HOVER)]
            if self.hovered_sentence is not None:
                selections += self._marked(sentences[self.hovered_sentence].span, tokens.HOVER)
            if self.hovered_word is not None:
                selections += self._marked(self.hovered_word, tokens.BORDER_STRONG, underlined=True)
            if self.pinned is not None:
                selections += self._marked(self.pinned, tokens.ACCENT, chosen=True)
        self.setExtraSelections(selections)
        self._place_rows()

    def _marked(
        self, span: Span, background: str, *, chosen: bool = False, underlined: bool = False
    ) -> list[QTextEdit.ExtraSelection]:
        marked = []
        for piece in self._text.positions(span) if self._text is not None else ():
            selection = QTextEdit.ExtraSelection()
            style = QTextCharFormat()
            style.setBackground(QColor(background))
            style.setForeground(QColor(tokens.TEXT_ON_ACCENT if chosen else tokens.TEXT))
            style.setFontUnderline(underlined)
            selection.format = style
            selection.cursor = QTextCursor(self.document())
            selection.cursor.setPosition(piece.start)
            selection.cursor.setPosition(piece.end, QTextCursor.MoveMode.KeepAnchor)
            marked.append(selection)
        return marked
