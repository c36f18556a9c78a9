"""What every data set gives: studies, one at a time, and an account of the files they were made from.

A data set's file in this package defines ``SOURCES``, each a :class:`DataSource`: how to recognize a data set in a
folder and how to open it. :mod:`kdistill_core.datasets.registry` lists them all. A reader leaves nothing out in
silence: it yields every study that the tables name, and what does not fit together is noted in a :class:`Ledger`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from kdistill_core.conditions import Condition
from kdistill_core.errors import KDistillError
from kdistill_core.records import Study

_EXAMPLES = 5


class DatasetError(KDistillError):
    """A data set that is not laid out as its publishers describe: what is wrong with it, and what to do."""


@dataclass(frozen=True)
class Part:
    """A file or folder that belongs to a data set. path: relative to its root; found: the path that serves, or None."""

    path: str
    purpose: str
    needed: bool = True
    found: Path | None = None


@dataclass(frozen=True)
class Remark:
    """What a user has to know about how the files fit together.

    kind: short and stable, such as ``missing image``. text: one sentence for people. count: of the cases it holds for;
    examples: a few of their ids.
    """

    kind: str
    text: str
    count: int
    examples: tuple[str, ...] = ()


class Ledger:
    """Counts what does not fit together while a data set is read."""

    def __init__(self) -> None:
        self._cases: dict[tuple[str, str], list[str]] = {}

    def note(self, kind: str, text: str, case: str) -> None:
        """Note that ``text`` holds for ``case``; the same kind and text are counted together."""
        self._cases.setdefault((kind, text), []).append(case)

    def remarks(self) -> tuple[Remark, ...]:
        """Return what was noted so far, in the order in which it was first met."""
        return tuple(
            Remark(kind, text, len(cases), tuple(cases[:_EXAMPLES])) for (kind, text), cases in self._cases.items()
        )


@dataclass(frozen=True)
class ReadOptions:
    """How a data set is to be opened.

    labels: which of several label sets counts, such as ``chexpert`` or ``negbio`` for MIMIC-CXR; empty for the data
    set's own default. reports: whether report texts are read, which takes a file each in some data sets.
    """

    labels: str = ""
    reports: bool = True


@dataclass(frozen=True, eq=False)
class DataSet:
    """A data set as it lies on disk.

    conditions: those it labels; the others are blank in every study. unmapped: its labels without a counterpart among
    the 14, with how often they occur. label_source: who made the labels, in words. splits: where the splits come from,
    in words. iterate: starts reading from the beginning and notes in the ledger what it meets.
    """

    name: str
    title: str
    root: Path
    parts: tuple[Part, ...]
    conditions: tuple[Condition, ...]
    label_source: str
    splits: str
    iterate: Callable[[Ledger], Iterator[Study]]
    unmapped: tuple[tuple[str, int], ...] = ()

    def studies(self, split: str = "") -> Iterator[Study]:
        """Yield the studies in a stable order, lazily; of one split where it is named."""
        for study in self.iterate(Ledger()):
            if not split or study.split == split:
                yield study


@dataclass(frozen=True)
class DataSource:
    """A kind of data set that can be read.

    name: as used on the command line, such as ``mimic-cxr-jpg``. recognizes: whether a folder holds one, from the names
    of a few files. open: its studies; raises DatasetError where a needed part is missing. needs: the files that it is
    recognized by, in words.
    """

    name: str
    title: str
    recognizes: Callable[[Path], bool]
    open: Callable[[Path, ReadOptions], DataSet]
    needs: str = ""


def by_image(study: Study) -> Iterator[Study]:
    """Yield a study of one image for each image of ``study``."""
    for image in study.images:
        yield replace(study, images=(image,))
