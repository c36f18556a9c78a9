"""The engine as a command uses it: one request at a time, its progress shown, its answer returned."""

from __future__ import annotations

import itertools
import queue
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from kdistill_core.engine.errors import EngineError
from kdistill_core.engine.messages import (
    AnyEvent,
    AnyRequest,
    Attribute,
    Attributed,
    Canceled,
    Declined,
    Explain,
    Explained,
    Failed,
    Loaded,
    LoadModels,
    Progress,
    WorkerDied,
)
from kdistill_core.records import Explanation, ImageSource, SaliencyMap, SaliencyTarget

OnProgress = Callable[[Progress], None]


@dataclass(frozen=True)
class Refusal:
    """Why an image was not explained; ``declined`` where it is not a frontal chest radiograph."""

    problem: str
    advice: str
    declined: bool


@dataclass(frozen=True)
class Explaining:
    """An explanation and the request it answers, by which its overlays are asked for."""

    id: str
    explanation: Explanation


class Session:
    """A running engine; close it, or use it in a ``with`` block."""

    def __init__(self, on_progress: OnProgress) -> None:
        from transformers.utils.logging import disable_progress_bar

        from kdistill_core.engine.local import LocalEngine

        # The command shows its own progress.
        disable_progress_bar()
        self._events: queue.SimpleQueue[AnyEvent] = queue.SimpleQueue()
        self._engine = LocalEngine(self._events.put)
        self._on_progress = on_progress
        self._ids = (f"request {number}" for number in itertools.count(1))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._engine.close()

    def load(self, student: Path | None, teacher: Path | None, device: str) -> Loaded:
        """Load the models. Raises EngineError where they cannot be."""
        answer = self._ask(
            LoadModels(id=next(self._ids), student=_text(student), teacher=_text(teacher), device=device)
        )
        if isinstance(answer, Loaded):
            return answer
        raise _error_of(answer)

    def explain(self, source: ImageSource, seed: int) -> Explaining | Refusal:
        """Explain one image, or say why not."""
        request = Explain(id=next(self._ids), source=source, seed=seed)
        answer = self._ask(request)
        if isinstance(answer, Explained):
            return Explaining(request.id, answer.explanation)
        if isinstance(answer, Declined):
            return Refusal(answer.reason, answer.advice, declined=True)
        fault = _error_of(answer)
        return Refusal(fault.problem, fault.advice, declined=False)

    def attribute(self, explaining: Explaining, target: SaliencyTarget, method: str) -> SaliencyMap:
        """Compute an overlay of an explanation made in this session. Raises EngineError where there is none."""
        from kdistill_core.engine.client import take_array

        answer = self._ask(Attribute(id=next(self._ids), explanation_id=explaining.id, target=target, method=method))
        if isinstance(answer, Attributed):
            return SaliencyMap(
                values=take_array(answer.values),
                target=answer.target,
                method=answer.method,
                peak=answer.peak,
                provenance=answer.provenance,
                note=answer.note,
            )
        raise _error_of(answer)

    def _ask(self, request: AnyRequest) -> AnyEvent:
        """Return the event that ends ``request``."""
        self._engine.submit(request)
        while True:
            event = self._events.get()
            if isinstance(event, Progress):
                self._on_progress(event)
            elif isinstance(event, Loaded | Explained | Attributed | Declined | Canceled | Failed | WorkerDied):
                return event


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _error_of(answer: AnyEvent) -> EngineError:
    match answer:
        case Failed(problem=problem, advice=advice) | WorkerDied(problem=problem, advice=advice):
            return EngineError(problem, advice)
        case Canceled():
            return EngineError("The work was canceled.")
        case Declined(reason=reason, advice=advice):
            return EngineError(reason, advice)
        case _:
            return EngineError(f"The engine gave an answer that was not asked for ({type(answer).__name__}).")
