"""The exception family of the core: every error here is written for the person who reads it."""

from __future__ import annotations


class KDistillError(Exception):
    """What went wrong, with which file, and what to do about it.

    ``problem`` names the file and the fault in one sentence; ``advice`` says what the reader can do.
    Neither may hold patient data.
    """

    def __init__(self, problem: str, advice: str = "") -> None:
        super().__init__(problem if not advice else f"{problem} {advice}")
        self.problem = problem
        self.advice = advice


class Canceled(Exception):  # noqa: N818 - a request, not a fault
    """The person who asked for the work has asked for it to stop."""
