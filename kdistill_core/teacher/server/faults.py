"""What can go wrong with a server that writes rationales; nothing a server said is repeated, it may hold a report."""

from __future__ import annotations

from kdistill_core.teacher.errors import TeacherError


class TeacherServerError(TeacherError):
    """A server that cannot be used as it is set up, or that has stopped answering."""


class ServerFaultError(Exception):
    """One request to a server that brought no usable text.

    again: whether the same request may succeed later. after: seconds the server asks to wait, None where it asks none.
    """

    def __init__(self, fault: str, *, again: bool = False, after: float | None = None) -> None:
        super().__init__(fault)
        self.fault = fault
        self.again = again
        self.after = after
