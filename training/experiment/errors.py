"""What can go wrong in the experiment."""

from __future__ import annotations

from kdistill_core.errors import KDistillError


class ExperimentError(KDistillError):
    """An experiment that cannot be run, continued or reported."""
