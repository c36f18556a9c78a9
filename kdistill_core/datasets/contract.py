"""What every data set gives: its images, each with the study it belongs to, pixels read only when asked for."""

from __future__ import annotations

from dataclasses import dataclass

from kdistill_core.errors import KDistillError
from kdistill_core.records import ImageSource, Study


class DatasetError(KDistillError):
    """A data set that is not laid out as its publishers describe: what is wrong with it, and what to do."""


@dataclass(frozen=True)
class LabeledImage:
    """An image on disk and its study: patient, split and the 14 findings in the order of ``CONDITIONS``.

    The study carries no radiograph; :func:`kdistill_core.imaging.read_radiograph` reads ``source``.
    """

    source: ImageSource
    study: Study
