"""Labeled radiographs: public data sets as studies, and prepared pixels in memory-mapped files."""

from kdistill_core.datasets.contract import DatasetError, LabeledImage
from kdistill_core.datasets.splits import Split, split_of

__all__ = ["DatasetError", "LabeledImage", "Split", "split_of"]
