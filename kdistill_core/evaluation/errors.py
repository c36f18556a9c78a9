"""The exception of the evaluation package."""

from kdistill_core.errors import KDistillError


class EvaluationError(KDistillError):
    """A score that cannot be computed: why, and what to do."""
