"""What lies in the folders of a data set, by one look at each folder rather than one at each file."""

from __future__ import annotations

import os
from pathlib import Path

from kdistill_core.datasets.contract import DatasetError


def names_in(folder: Path) -> frozenset[str]:
    """Return the names of what lies in ``folder``; none where it is not there or not a folder.

    Raises DatasetError for a folder that may not be read: what lies in it would pass for missing.
    """
    try:
        return frozenset(os.listdir(folder))  # noqa: PTH208 - the names alone, without a Path for each of 400,000
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()
    except OSError as error:
        raise DatasetError(
            f"The folder {folder} cannot be read: {error.strerror}.", "Check its permissions."
        ) from error
