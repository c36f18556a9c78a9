"""What can go wrong with the teacher: its knowledge, its library, its language model."""

from __future__ import annotations

from kdistill_core.errors import KDistillError


class TeacherError(KDistillError):
    """A fault of the teacher that the reader can do something about."""


class KnowledgeError(TeacherError):
    """A knowledge file that is missing, malformed or incomplete."""


class LibraryError(TeacherError):
    """A rationale library that cannot be read, or has no entry for what was asked."""


class TeacherModelError(TeacherError):
    """A language model that is not there or cannot be loaded."""


class TeacherTrainingError(TeacherError):
    """A training of a teacher that cannot start or go on as it is set up."""


class RationaleStoreError(TeacherError):
    """A store of rationales that is damaged, held by another run, or no store at all."""


class RationaleWritingError(TeacherError):
    """A run that writes rationales and cannot go on."""
