"""Work that would make the window stutter, done in a thread, its result handed back to the window's thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from kdistill_core.errors import KDistillError

Result = TypeVar("Result")

# Runs a call later, in the thread of whoever owns the state. May be called from any thread.
Post = Callable[[Callable[[], None]], None]


class Background:
    """Threads that are waited for when the window closes.

    A KDistillError is an answer and goes to ``failed``; any other exception is a fault of the program and reaches
    ``threading.excepthook``, after ``finished`` was called so that nothing waits for it.
    """

    def __init__(self, post: Post) -> None:
        self.post = post
        self._threads: list[threading.Thread] = []

    def run(
        self,
        work: Callable[[], Result],
        *,
        done: Callable[[Result], None],
        failed: Callable[[KDistillError], None],
        finished: Callable[[], None] | None = None,
        name: str = "background",
    ) -> None:
        def target() -> None:
            try:
                result = work()
            except KDistillError as error:
                problem = error
                self.post(lambda: failed(problem))
            else:
                self.post(lambda: done(result))
            finally:
                if finished is not None:
                    self.post(finished)

        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=target, name=f"kdistill-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def join(self, timeout_s: float) -> bool:
        """Wait for every thread, at most ``timeout_s`` seconds each; True when none is left running."""
        for thread in self._threads:
            thread.join(timeout_s)
        return not any(thread.is_alive() for thread in self._threads)
