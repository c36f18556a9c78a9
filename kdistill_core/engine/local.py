"""The engine inside this process, for scripts, the command line and tests."""

from __future__ import annotations

import threading
from collections.abc import Callable

from kdistill_core.engine.arrays import ArrayOutbox
from kdistill_core.engine.dispatch import Dispatcher
from kdistill_core.engine.errors import EngineError
from kdistill_core.engine.messages import AnyEvent, AnyRequest, Cancel, Shutdown
from kdistill_core.engine.session import Session


class LocalEngine:
    """The interface of :class:`kdistill_core.engine.client.EngineProcess`, served by a thread of this process."""

    def __init__(self, on_event: Callable[[AnyEvent], None]) -> None:
        self._outbox = ArrayOutbox()
        self._dispatcher = Dispatcher(lambda: Session(self._outbox), on_event)
        self._thread = threading.Thread(target=self._dispatcher.serve, name="engine", daemon=True)
        self._thread.start()
        self._closed = False

    def submit(self, request: AnyRequest) -> None:
        """Queue a request. Raises EngineError when the engine is closed."""
        if self._closed:
            raise EngineError("The engine is closed.")
        self._dispatcher.submit(request)

    def cancel(self, request_id: str) -> None:
        """Ask for a request to stop at its next step."""
        self.submit(Cancel(id=f"cancel {request_id}", target_id=request_id))

    def close(self) -> None:
        """Cancel what is under way and end the thread; an event handler may call this too."""
        if self._closed:
            return
        self._closed = True
        self._dispatcher.submit(Shutdown(id=""))
        if threading.current_thread() is not self._thread:
            self._thread.join()
        self._outbox.free_all()
