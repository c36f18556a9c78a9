"""What can be left out of a data set, and the count of what each filter left out.

Two papers that say "MIMIC-CXR" may have measured on different images, because each left out others. A filter here has
a name and a sentence, filters are applied in a stated order, and :class:`Filtering` counts studies and images in,
left out and left, by filter and split.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from kdistill_core.conditions import State
from kdistill_core.datasets.contract import DatasetError
from kdistill_core.datasets.disk import names_in
from kdistill_core.imaging import read_radiograph
from kdistill_core.imaging.errors import ImagingError
from kdistill_core.imaging.reading import sha256_of
from kdistill_core.records import Study, StudyImage

# Frontal views of a patient who stands, sits or lies on the back, in upper case with blanks. Decubitus views (AP LLD)
# show fluid and air elsewhere, and an AP axial (lordotic) view the clavicles: they are not among them.
FRONTAL_VIEWS = frozenset({"PA", "AP", "FRONTAL", "AP SUPINE", "AP HORIZONTAL", "AP ERECT", "PA ERECT"})


@dataclass(frozen=True)
class Filter:
    """A reason to leave out images or whole studies.

    sentence: what is left out, for people. apply: the study without what is left out, or None for a study that is
    left out whole, as is one that loses its last image.
    """

    name: str
    sentence: str
    apply: Callable[[Study], Study | None]


@dataclass(frozen=True)
class FilterCount:
    """What a filter got of a split, what it left out, and what it left."""

    filter: str
    sentence: str
    split: str
    studies_in: int
    studies_left_out: int
    studies_left: int
    images_in: int
    images_left_out: int
    images_left: int


class Filtering:
    """Filters applied one after another, with a count of what became of studies and images."""

    def __init__(self, filters: Sequence[Filter]) -> None:
        self._filters = tuple(filters)
        self._in: Counter[tuple[str, str, str]] = Counter()
        self._left: Counter[tuple[str, str, str]] = Counter()

    def __call__(self, study: Study) -> Study | None:
        """Return what the filters leave of ``study``, or None."""
        for filter_ in self._filters:
            _count(self._in, filter_, study)
            left = filter_.apply(study)
            if left is None:
                return None
            _count(self._left, filter_, left)
            study = left
        return study

    def apply(self, studies: Iterable[Study]) -> Iterator[Study]:
        """Yield what the filters leave of ``studies``, lazily."""
        return (left for study in studies if (left := self(study)) is not None)

    def counts(self, splits: Sequence[str]) -> tuple[FilterCount, ...]:
        """Return the counts so far of each filter in each of ``splits``, zero where nothing came."""
        return tuple(self._counted(filter_, split) for filter_ in self._filters for split in splits)

    def _counted(self, filter_: Filter, split: str) -> FilterCount:
        of_studies, of_images = (filter_.name, split, "studies"), (filter_.name, split, "images")
        return FilterCount(
            filter=filter_.name,
            sentence=filter_.sentence,
            split=split,
            studies_in=self._in[of_studies],
            studies_left_out=self._in[of_studies] - self._left[of_studies],
            studies_left=self._left[of_studies],
            images_in=self._in[of_images],
            images_left_out=self._in[of_images] - self._left[of_images],
            images_left=self._left[of_images],
        )


def _count(counter: Counter[tuple[str, str, str]], filter_: Filter, study: Study) -> None:
    counter[filter_.name, study.split, "studies"] += 1
    counter[filter_.name, study.split, "images"] += len(study.images)


def missing_image() -> Filter:
    """Leave out images whose file is not there."""
    listed = lru_cache(maxsize=16)(names_in)

    def is_there(image: StudyImage) -> bool:
        folder, name = os.path.split(image.source.path)
        return name in listed(Path(folder))

    return Filter("missing-image", "Images whose file is not there.", _keeping_images(is_there))


def not_frontal() -> Filter:
    """Leave out images of another view than a frontal one; those of an unknown view stay."""
    return Filter(
        "not-frontal",
        "Images of another view than PA or AP; those whose view is unknown stay.",
        _keeping_images(lambda image: not image.view_position or is_frontal(image.view_position)),
    )


def unknown_view() -> Filter:
    """Leave out images whose view is unknown."""
    return Filter(
        "unknown-view", "Images whose view is unknown.", _keeping_images(lambda image: bool(image.view_position))
    )


def unreadable_image() -> Filter:
    """Leave out images that cannot be decoded; each is read, which takes its time."""

    def is_readable(image: StudyImage) -> bool:
        try:
            read_radiograph(image.source)
        except (ImagingError, OSError):
            return False
        return True

    return Filter("unreadable-image", "Images whose file cannot be decoded.", _keeping_images(is_readable))


def doubled_image() -> Filter:
    """Leave out images whose file has the same content as one before; each is read. It remembers what it has seen."""
    seen: set[tuple[str, int]] = set()

    def is_first(image: StudyImage) -> bool:
        try:
            content = (sha256_of(Path(image.source.path)), image.source.frame)
        except OSError:
            return True  # another filter's subject
        new = content not in seen
        seen.add(content)
        return new

    return Filter(
        "doubled-image", "Images whose file is the same, byte for byte, as one before.", _keeping_images(is_first)
    )


def no_image() -> Filter:
    """Leave out studies without an image."""
    return Filter("no-image", "Studies without an image.", _keeping_studies(lambda study: bool(study.images)))


def no_report() -> Filter:
    """Leave out studies without a report, or with one that holds no text."""
    return Filter(
        "no-report",
        "Studies without a report.",
        _keeping_studies(lambda study: study.report is not None and bool(study.report.text.strip())),
    )


def no_findings() -> Filter:
    """Leave out studies whose report has no findings section."""
    return _without_section("findings")


def no_impression() -> Filter:
    """Leave out studies whose report has no impression section."""
    return _without_section("impression")


def no_label() -> Filter:
    """Leave out studies of which no condition is labeled: all blank, or no labels at all."""
    return Filter(
        "no-label",
        "Studies without labels, or with all 14 conditions blank.",
        _keeping_studies(lambda study: any(finding.state is not State.BLANK for finding in study.findings)),
    )


# Each call makes a filter of its own, since some remember what they have seen.
FILTERS: dict[str, Callable[[], Filter]] = {
    "missing-image": missing_image,
    "not-frontal": not_frontal,
    "unknown-view": unknown_view,
    "unreadable-image": unreadable_image,
    "doubled-image": doubled_image,
    "no-image": no_image,
    "no-report": no_report,
    "no-findings": no_findings,
    "no-impression": no_impression,
    "no-label": no_label,
}


def filters_named(names: Iterable[str]) -> tuple[Filter, ...]:
    """Return the filters of these names, in this order. Raises DatasetError for an unknown or repeated name."""
    chosen = list(names)
    for number, name in enumerate(chosen):
        if name not in FILTERS:
            raise DatasetError(f"There is no filter {name!r}.", f"Known are {', '.join(FILTERS)}.")
        if name in chosen[:number]:
            raise DatasetError(f"The filter {name!r} is named twice.", "Name each filter once.")
    return tuple(FILTERS[name]() for name in chosen)


def is_frontal(view_position: str) -> bool:
    """Return whether ``view_position``, as data sets and DICOM name it, is one of ``FRONTAL_VIEWS``."""
    return " ".join(view_position.upper().replace("_", " ").split()) in FRONTAL_VIEWS


def _without_section(name: str) -> Filter:
    return Filter(
        f"no-{name}",
        f"Studies whose report has no {name} section.",
        _keeping_studies(lambda study: study.report is not None and bool(study.report.sections.get(name, "").strip())),
    )


def _keeping_images(keep: Callable[[StudyImage], bool]) -> Callable[[Study], Study | None]:
    def apply(study: Study) -> Study | None:
        kept = tuple(filter(keep, study.images))
        if len(kept) == len(study.images):
            return study
        return replace(study, images=kept) if kept else None

    return apply


def _keeping_studies(keep: Callable[[Study], bool]) -> Callable[[Study], Study | None]:
    return lambda study: study if keep(study) else None
