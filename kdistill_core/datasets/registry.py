"""Every data set that can be read, and which of them lies in a folder."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from kdistill_core.datasets.contract import DataSet, DatasetError, DataSource, ReadOptions

PLAIN_FOLDER = "images"
# In the order in which a folder is tried: the plain folder, which many folders would pass for, comes last.
_MODULES = (
    "mimic_cxr",
    "chexpert",
    "nih",
    "openi",
    "padchest",
    "vindr",
    "ms_cxr",
    "chexlocalize",
    "phantom_folder",
    "image_folder",
)


def sources() -> tuple[DataSource, ...]:
    """Return every kind of data set, in the order in which a folder is tried."""
    modules = (import_module(f"kdistill_core.datasets.{name}") for name in _MODULES)
    return tuple(source for module in modules for source in module.SOURCES)


def recognize(root: Path) -> tuple[DataSource, ...]:
    """Return the kinds of data set that ``root`` holds, the likeliest first. Raises DatasetError for no folder."""
    if not root.is_dir():
        raise DatasetError(f"{root} is not a folder.", "Give the folder that the data set was unpacked to.")
    found = tuple(source for source in sources() if source.recognizes(root))
    # The tables of several public data sets would pass for one of a plain folder.
    return tuple(source for source in found if source.name != PLAIN_FOLDER) or found


def open_data_set(root: Path, name: str = "", options: ReadOptions | None = None) -> DataSet:
    """Return the data set in ``root``; ``name`` says which kind it is where the folder alone does not.

    Raises DatasetError for an unknown name and for a folder that holds none of those known.
    """
    if name:
        chosen = [source for source in sources() if source.name == name]
        if not chosen:
            known = ", ".join(source.name for source in sources())
            raise DatasetError(f"There is no data set named {name!r}.", f"Known are {known}.")
    else:
        chosen = list(recognize(root))
        if not chosen:
            known = ", ".join(source.title for source in sources())
            raise DatasetError(
                f"{root} holds no data set that is known here.",
                f"Known are {known}. Any folder of images can be read with a table images.csv beside them.",
            )
    return chosen[0].open(root, options or ReadOptions())
