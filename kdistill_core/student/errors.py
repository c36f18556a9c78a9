"""The exception of the student package."""

from kdistill_core.errors import KDistillError


class StudentError(KDistillError):
    """A student checkpoint or input that cannot be used: what is wrong with it, and what to do."""
