"""Faults of the program itself: told in the window, and logged by place only, because messages may name patients."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Callable
from types import TracebackType

from kdistill_viewer.state.background import Post
from kdistill_viewer.state.notices import Notice, NoticeKind

logger = logging.getLogger(__name__)


def report_faults(post: Post, show: Callable[[Notice], None]) -> None:
    """From now on tell of every exception that nothing caught, in any thread."""

    def report(kind: type[BaseException], trace: TracebackType | None) -> None:
        logger.error("%s", fault_line(kind, trace))
        notice = Notice(
            NoticeKind.PROBLEM,
            f"An unexpected fault in the program ({kind.__name__}). What is open stays open.",
            "If it happens again, please report what you did and what the program printed.",
        )
        post(lambda: show(notice))

    def in_main(kind: type[BaseException], _error: BaseException, trace: TracebackType | None) -> None:
        report(kind, trace)

    def in_thread(arguments: threading.ExceptHookArgs) -> None:
        report(arguments.exc_type, arguments.exc_traceback)

    sys.excepthook = in_main
    threading.excepthook = in_thread


def fault_line(kind: type[BaseException], trace: TracebackType | None) -> str:
    """Return the kind of an exception and the places it came through, innermost first, without any value."""
    frames = traceback.extract_tb(trace)
    return f"{kind.__name__} at " + " < ".join(f"{f.filename}:{f.lineno} {f.name}" for f in reversed(frames))
