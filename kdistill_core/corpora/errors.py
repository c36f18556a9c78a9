"""The exception of the corpora package."""

from kdistill_core.errors import KDistillError


class CorpusError(KDistillError):
    """Literature that cannot be read as what it should be: file, place, and what to do."""
