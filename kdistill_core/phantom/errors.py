"""The exception family of the phantom."""

from __future__ import annotations

from kdistill_core.errors import KDistillError


class PhantomError(KDistillError):
    """A phantom that cannot be simulated or written as asked."""
