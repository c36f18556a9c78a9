"""The exception of the distillation package."""

from kdistill_core.errors import KDistillError


class DistillationError(KDistillError):
    """A training set-up that cannot work: what is wrong with it, and what to do."""
