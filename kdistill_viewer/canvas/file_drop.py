"""Files dropped on a widget, and the moment while they hover over it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QWidget


class FileDrop(QObject):
    """Watches a widget for local files; anything else that is dragged over it is not welcome."""

    dropped = Signal(list)  # list[pathlib.Path]

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self._widget = widget
        self.welcomes = False
        widget.setAcceptDrops(True)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QDragEnterEvent):
            self._show(bool(_local_files(event)))
            event.setAccepted(self.welcomes)
            return True
        if event.type() is QEvent.Type.DragLeave:
            self._show(False)
            return True
        if event.type() is QEvent.Type.Drop and isinstance(event, QDropEvent):
            self._show(False)
            event.acceptProposedAction()
            self.dropped.emit(_local_files(event))
            return True
        return super().eventFilter(watched, event)

    def _show(self, welcomes: bool) -> None:  # noqa: FBT001 - a state, not a switch
        self.welcomes = welcomes
        self._widget.update()


def _local_files(event: QDropEvent) -> list[Path]:
    return [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
