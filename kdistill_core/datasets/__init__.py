"""Labeled radiographs: public data sets as studies, and prepared pixels in memory-mapped files."""

from kdistill_core.datasets.contract import DataSet, DatasetError, ReadOptions, by_image
from kdistill_core.datasets.registry import open_data_set
from kdistill_core.datasets.splits import Split, split_of

__all__ = [
    "DataSet",
    "DatasetError",
    "ReadOptions",
    "Split",
    "by_image",
    "open_data_set",
    "split_of",
]
