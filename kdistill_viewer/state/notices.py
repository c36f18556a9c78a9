"""A message to the reader that waits in the window without stopping the work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class NoticeKind(StrEnum):
    """How a notice is marked, in word and color."""

    INFORMATION = "Information"
    REFUSAL = "No reading"
    PROBLEM = "Problem"


@dataclass(frozen=True)
class Notice:
    """What happened, what the reader can do, and the work to start again where that may help."""

    kind: NoticeKind
    problem: str
    advice: str = ""
    retry: Callable[[], None] | None = None
