"""From any thread into the thread of the window."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, Signal, Slot


class QtPost(QObject):
    """Calls what it is given later, in the thread it was made in; nothing any more after ``stop``."""

    _posted = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._stopped = False
        self._posted.connect(self._run, Qt.ConnectionType.QueuedConnection)

    def __call__(self, call: Callable[[], None]) -> None:
        if not self._stopped:
            self._posted.emit(call)

    def stop(self) -> None:
        self._stopped = True

    @Slot(object)
    def _run(self, call: Callable[[], None]) -> None:
        if not self._stopped:
            call()
