"""The exception of the exchange package."""

from kdistill_core.errors import KDistillError


class ExchangeError(KDistillError):
    """Something that could not be exported: where it was to go, and what stood in the way."""
