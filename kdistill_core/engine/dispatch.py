"""Carries out requests one after the other, in the thread that serves them, and answers each in any case.

Between this module and the models stands :class:`Performer`; the same dispatcher serves the worker process and the
engine inside one process.
"""

from __future__ import annotations

import logging
import queue
import threading
import traceback
from collections.abc import Callable
from typing import Protocol

from kdistill_core.engine.errors import DeclinedError, EngineError
from kdistill_core.engine.messages import (
    AnyEvent,
    AnyRequest,
    Attribute,
    Cancel,
    Canceled,
    Declined,
    Explain,
    Failed,
    LoadModels,
    Progress,
    Shutdown,
    Stage,
)
from kdistill_core.errors import Canceled as CanceledError
from kdistill_core.errors import KDistillError

logger = logging.getLogger(__name__)

Emit = Callable[[AnyEvent], None]
Check = Callable[[], None]


class Performer(Protocol):
    """Does the work of a request, emits its events, and calls ``check`` at each step; ``check`` raises Canceled."""

    def load(self, request: LoadModels, emit: Emit, check: Check) -> None: ...

    def explain(self, request: Explain, emit: Emit, check: Check) -> None: ...

    def attribute(self, request: Attribute, emit: Emit, check: Check) -> None: ...

    def free_memory(self) -> None:
        """Give back what is no longer needed, after a request ran out of memory."""
        ...


class Dispatcher:
    """A queue of requests with cancellation; ``submit`` may be called from any thread, ``serve`` blocks in its own."""

    def __init__(self, make_performer: Callable[[], Performer], emit: Emit) -> None:
        self._make_performer = make_performer
        self._performer: Performer | None = None
        self._emit = emit
        self._queue: queue.SimpleQueue[AnyRequest] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._in_flight: list[str] = []
        self._canceled: set[str] = set()

    def submit(self, request: AnyRequest) -> None:
        """Queue a request; a Cancel or Shutdown works at once."""
        with self._lock:
            if isinstance(request, Cancel):
                # One that was answered already is not remembered: its id may be used again.
                self._canceled.update({request.target_id} & set(self._in_flight))
                return
            if isinstance(request, Shutdown):
                self._canceled.update(self._in_flight)
            else:
                self._in_flight.append(request.id)
        self._queue.put(request)

    def serve(self) -> None:
        """Carry out requests until a Shutdown."""
        while not isinstance(request := self._queue.get(), Shutdown):
            try:
                self._answer(request)
            finally:
                with self._lock:
                    self._in_flight.remove(request.id)
                    self._canceled.discard(request.id)

    def _answer(self, request: AnyRequest) -> None:
        try:
            self._check(request.id)
            self._perform(request)
        except CanceledError:
            self._emit(Canceled(id=request.id))
        except DeclinedError as error:
            self._emit(Declined(request.id, error.problem, error.advice))
        except KDistillError as error:
            self._emit(Failed(request.id, error.problem, error.advice))
        except Exception as error:  # noqa: BLE001 - the boundary: whatever went wrong, the request is answered
            self._emit(Failed(request.id, *_unexpected(error)))
            # Its frames hold the very tensors that took the memory.
            error.__traceback__ = None
            if _is_out_of_memory(error) and self._performer is not None:
                self._performer.free_memory()

    def _perform(self, request: AnyRequest) -> None:
        if self._performer is None:
            # Making it imports the model libraries, which takes seconds.
            self._emit(Progress(request.id, Stage.LOADING))
            self._performer = self._make_performer()
        check = lambda: self._check(request.id)  # noqa: E731
        match request:
            case LoadModels():
                self._performer.load(request, self._emit, check)
            case Explain():
                self._performer.explain(request, self._emit, check)
            case Attribute():
                self._performer.attribute(request, self._emit, check)
            case _:
                raise EngineError(f"The engine cannot carry out a request of type {type(request).__name__}.")

    def _check(self, request_id: str) -> None:
        with self._lock:
            if request_id in self._canceled:
                raise CanceledError


def _unexpected(error: Exception) -> tuple[str, str]:
    if _is_out_of_memory(error):
        return (
            "There is not enough memory for this request on the computer or its GPU.",
            "Close other programs, or choose a smaller model, the CPU, or a lower precision.",
        )
    _log_without_values(error)
    if isinstance(error, ImportError):
        return (
            f"A part of the program cannot be imported ({error.name or 'unknown'}).",
            "Check the installation with `kdistill doctor`.",
        )
    return (
        f"An unexpected fault stopped the work ({type(error).__name__}).",
        "The log of the model process says where; please report it with that log.",
    )


def _is_out_of_memory(error: Exception) -> bool:
    # torch is known by its words, so that it need not be imported: its CUDA error is an OutOfMemoryError, its others
    # are plain RuntimeErrors.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


def _log_without_values(error: BaseException) -> None:
    """Log where an error arose; its message may quote a file or a header, so it stays out."""
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    logger.error("%s at %s", type(error).__name__, places)
