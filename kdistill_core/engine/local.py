"""The engine inside this process, for scripts, the command line and tests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from kdistill_core.engine.arrays import ArrayOutbox
from kdistill_core.engine.attribution import attribute_case
from kdistill_core.engine.cases import prepare_case
from kdistill_core.engine.dispatch import Dispatcher
from kdistill_core.engine.errors import EngineError
from kdistill_core.engine.explaining import Watcher, explain_case, require_chest_radiograph
from kdistill_core.engine.messages import AnyEvent, AnyRequest, Cancel, Shutdown
from kdistill_core.engine.models import Models, load_models
from kdistill_core.engine.session import Session
from kdistill_core.imaging import read_radiograph
from kdistill_core.records import Explanation, ImageSource, Radiograph, SaliencyMap, SaliencyTarget

__all__ = ["LocalEngine", "Models", "Watcher", "attribute", "explain_file", "load_models"]

_WATCH_NOTHING = Watcher()


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
        self._outbox.close()


def explain_file(
    source: ImageSource | Path | str,
    models: Models,
    *,
    seed: int = 0,
    max_new_tokens: int = 320,
    watcher: Watcher = _WATCH_NOTHING,
) -> tuple[Explanation, Radiograph]:
    """Return the explanation of one image and the radiograph it is of; ``models`` come from :func:`load_models`.

    Raises ImagingError for a file that cannot be read, DeclinedError for one that is not a frontal chest radiograph.
    """
    radiograph = read_radiograph(source)
    require_chest_radiograph(radiograph)
    case = prepare_case(models, radiograph)
    explanation = explain_case(models, radiograph, case, watcher, seed=seed, max_new_tokens=max_new_tokens)
    return explanation, radiograph


def attribute(
    explanation: Explanation, radiograph: Radiograph, target: SaliencyTarget, models: Models, method: str = ""
) -> SaliencyMap:
    """Return the overlay for ``target`` of an explanation that ``models`` made of ``radiograph``.

    Raises EngineError for a target that the explanation does not have, SaliencyError for an unfit ``method``.
    """
    return attribute_case(models, prepare_case(models, radiograph), explanation, target, method)
