"""The exception of the imaging package."""

from kdistill_core.errors import KDistillError


class ImagingError(KDistillError):
    """A file that cannot be read as a radiograph: what is wrong with it, and what to do."""
