"""The error family of saliency."""

from __future__ import annotations

from kdistill_core.errors import KDistillError


class SaliencyError(KDistillError):
    """A method that does not exist, or one that cannot explain what was asked."""
