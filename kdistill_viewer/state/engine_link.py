"""The viewer's end of the engine: requests are numbered here and each answer goes to whoever asked."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from kdistill_core.engine.messages import (
    AnyEvent,
    AnyRequest,
    Attributed,
    Canceled,
    Declined,
    Explained,
    Failed,
    Loaded,
    LoadModels,
    Progress,
    WorkerDied,
)
from kdistill_core.errors import KDistillError
from kdistill_core.records import SaliencyMap
from kdistill_viewer.state.background import Post
from kdistill_viewer.state.signal import Signal

# What a request is answered with: events as they come, a map in place of the event that names its shared memory.
Answer = AnyEvent | SaliencyMap
_LAST_ANSWERS = (Loaded, Explained, SaliencyMap, Declined, Canceled, Failed, WorkerDied)


class Engine(Protocol):
    """What the viewer needs of an engine, whichever process it runs in."""

    def submit(self, request: AnyRequest) -> None: ...
    def cancel(self, request_id: str) -> None: ...
    def close(self) -> None: ...


StartEngine = Callable[[Callable[[AnyEvent], None]], Engine]


@dataclass(frozen=True)
class ModelChoice:
    """Which models to load and where; None means the bundled ones."""

    student: str | None = None
    device: str = "auto"


class EngineLink:
    """Starts the engine when it is first needed, and hands each answer to the listener of its request."""

    def __init__(self, start: StartEngine, post: Post, models: ModelChoice) -> None:
        self.loaded: Signal[Loaded] = Signal()
        self.loading: Signal[Progress | Canceled | Failed | WorkerDied] = Signal()
        self.died: Signal[WorkerDied] = Signal()  # while nobody waited for an answer
        self._start = start
        self._post = post
        self._models = models
        self._engine: Engine | None = None
        self._listeners: dict[str, Callable[[Answer], None]] = {}
        self._numbers = itertools.count(1)
        self._models_asked_for = False
        self._closed = False

    def load(self) -> None:
        """Ask for the models, unless they are there or on their way."""
        if not self._models_asked_for:
            self._models_asked_for = True
            choice = self._models
            self._send(
                "load", lambda id_: LoadModels(id=id_, student=choice.student, device=choice.device), self._on_load
            )

    def ask(self, kind: str, make: Callable[[str], AnyRequest], listener: Callable[[Answer], None]) -> str:
        """Send the request that ``make`` builds around a fresh id; ``listener`` gets every answer. Returns the id."""
        self.load()
        return self._send(kind, make, listener)

    def cancel(self, request_id: str) -> None:
        if self._engine is not None and request_id in self._listeners:
            self._engine.cancel(request_id)

    def abandon(self, request_id: str) -> None:
        """Cancel a request whose answers nobody wants any more."""
        self.cancel(request_id)
        self._listeners.pop(request_id, None)

    def close(self) -> None:
        """End the engine; answers that are still on their way are dropped."""
        self._closed = True
        self._listeners.clear()
        if self._engine is not None:
            self._engine.close()

    def _send(self, kind: str, make: Callable[[str], AnyRequest], listener: Callable[[Answer], None]) -> str:
        if self._engine is None:
            self._engine = self._start(self._receive)
        id_ = f"{kind}-{next(self._numbers)}"
        self._listeners[id_] = listener
        try:
            self._engine.submit(make(id_))
        except KDistillError as error:
            failed = Failed(id=id_, problem=error.problem, advice=error.advice)
            self._post(lambda: self._deliver(id_, failed))
        return id_

    def _receive(self, event: AnyEvent) -> None:
        """Take an event in the engine's thread; shared memory is copied and released even when nobody waits."""
        answer = _map_of(event) if isinstance(event, Attributed) else event
        self._post(lambda: self._deliver(event.id, answer))

    def _deliver(self, id_: str, answer: Answer) -> None:
        if self._closed:
            return
        if isinstance(answer, WorkerDied):
            self._report_death(answer)
            return
        # Without an id: the client loads the models again, for a worker it started in place of one that died.
        listener = self._listeners.get(id_) if id_ else self._on_load
        if listener is None:
            return
        if isinstance(answer, _LAST_ANSWERS):
            self._listeners.pop(id_, None)
        listener(answer)

    def _report_death(self, event: WorkerDied) -> None:
        waiting = [self._listeners.pop(id_) for id_ in event.lost_requests if id_ in self._listeners]
        for listener in waiting:
            listener(event)
        if not waiting:
            self.died.emit(event)

    def _on_load(self, answer: Answer) -> None:
        if isinstance(answer, Loaded):
            self.loaded.emit(answer)
        elif isinstance(answer, Progress | Canceled | Failed | WorkerDied):
            if not isinstance(answer, Progress):
                self._models_asked_for = False
            self.loading.emit(answer)


def _map_of(event: Attributed) -> SaliencyMap | Failed:
    # Imported with the first map: the client pulls in multiprocessing, which start-up does not need.
    from kdistill_core.engine.client import take_array

    try:
        values = take_array(event.values)
    except KDistillError as error:
        return Failed(id=event.id, problem=error.problem, advice=error.advice)
    return SaliencyMap(
        values=values,
        target=event.target,
        method=event.method,
        peak=event.peak,
        provenance=event.provenance,
        note=event.note,
    )
