"""What a folder or a disc holds, from the headers alone."""

from __future__ import annotations

from dataclasses import dataclass, field

from kdistill_core.records import ImageSource, Patient


@dataclass(frozen=True)
class ImageEntry:
    """A file that looks like an image; its pixels have not been decoded, so reading it may still fail.

    rows, columns: size in pixels. frames: how many pictures the file holds; ``source`` names the first.
    """

    source: ImageSource
    rows: int
    columns: int
    frames: int = 1
    patient: Patient = field(default_factory=Patient)
    study_uid: str = ""
    study_date: str = ""  # YYYYMMDD
    study_description: str = ""
    series_uid: str = ""
    series_description: str = ""
    instance_number: int | None = None
    modality: str = ""
    body_part: str = ""
    view_position: str = ""


@dataclass(frozen=True)
class SkippedFile:
    """A file or folder that was passed over, and why, in words for the person who chose it."""

    path: str
    reason: str
