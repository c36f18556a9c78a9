"""A signal for plain Python objects: who is interested connects, whoever changed something emits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVarTuple

Arguments = TypeVarTuple("Arguments")


class Signal(Generic[*Arguments]):
    """Calls its listeners in the order they connected, in the thread that emits."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[*Arguments], object]] = []

    def connect(self, listener: Callable[[*Arguments], object]) -> None:
        self._listeners.append(listener)

    def disconnect(self, listener: Callable[[*Arguments], object]) -> None:
        self._listeners.remove(listener)

    def emit(self, *arguments: *Arguments) -> None:
        # A copy, because a listener may disconnect itself while it is called.
        for listener in tuple(self._listeners):
            listener(*arguments)
