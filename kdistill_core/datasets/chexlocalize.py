"""CheXlocalize (Saporta et al., Nature Machine Intelligence 2022): ten conditions on CheXpert images.

The images are those of CheXpert's validation and test sets and lie in a folder of it, inside or beside this one. The
masks lie in ``gt_segmentations_val.json`` and ``gt_segmentations_test.json``, the contours that they were drawn from in
``gt_annotations_*.json``; either serves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from kdistill_core.conditions import CONDITIONS, Condition, Source, State, condition_named
from kdistill_core.datasets.contract import DataSet, DatasetError, DataSource, Ledger, Part, ReadOptions
from kdistill_core.datasets.image_files import picture_size
from kdistill_core.datasets.label_lists import conditions_of
from kdistill_core.datasets.masks import is_empty, mask_of_contours, unpacked
from kdistill_core.datasets.remark_kinds import MISSING_IMAGE
from kdistill_core.datasets.splits import Split
from kdistill_core.records import Finding, ImageSource, Patient, Region, RunLengthMask, Study, StudyImage

NAME = "chexlocalize"
TITLE = "CheXlocalize"
KNOWN_CONDITIONS = conditions_of(Source.CHEXLOCALIZE)
_SPLITS = {"val": Split.VALIDATION, "test": Split.TEST}
_IMAGE = re.compile(r"(patient\d+)_(study\d+)_(view\d+_(frontal|lateral))")
# Where CheXpert's images lie, by CheXlocalize's word for the split: as distributed with it, and as in CheXpert itself.
_IMAGE_FOLDERS = {
    "val": ("CheXpert/val", "CheXpert-v1.0/valid", "CheXpert-v1.0-small/valid"),
    "test": ("CheXpert/test", "CheXpert-v1.0/test"),
}
_BARE_FOLDERS = {"val": ("valid", "val"), "test": ("test",)}  # only in the folder itself: any other may have a test
_OTHER_SIZE = (
    "masks of another size",
    "The masks of this image have another size than its file, a smaller copy it seems; they are kept as they are.",
)


class _Packed(msgspec.Struct):
    size: tuple[int, int]
    counts: str


@dataclass(frozen=True)
class _Masks:
    """The file of one split's masks, drawn or packed, and the folder of its images, which may be missing."""

    word: str
    file: Path
    packed: bool
    images: Path | None


def _find(root: Path) -> tuple[_Masks, ...]:
    folders = (root, root / "CheXlocalize")
    found = []
    for word in _SPLITS:
        for name, packed in ((f"gt_segmentations_{word}.json", True), (f"gt_annotations_{word}.json", False)):
            file = next((folder / name for folder in folders if (folder / name).is_file()), None)
            if file is not None:
                found.append(_Masks(word, file, packed, _image_folder(root, word)))
                break
    return tuple(found)


def _image_folder(root: Path, word: str) -> Path | None:
    named = [home / name for home in (root, root.absolute().parent) for name in _IMAGE_FOLDERS[word]]
    bare = [root / name for name in _BARE_FOLDERS[word]]
    return next((place for place in (*named, *bare) if place.is_dir()), None)


def _open(root: Path, options: ReadOptions) -> DataSet:
    if options.labels:
        raise DatasetError(f"{TITLE} has one set of labels; there is none named {options.labels!r}.", "Name none.")
    found = _find(root)
    if not found:
        raise DatasetError(f"{root} holds no gt_segmentations_val.json.", "Put CheXlocalize's masks there.")
    return DataSet(
        name=NAME,
        title=TITLE,
        root=root,
        parts=tuple(_parts(found)),
        conditions=KNOWN_CONDITIONS,
        label_source="two radiologists' masks: positive where one is drawn on any view of the study, else negative",
        splits="CheXpert's validation and test sets, as published",
        iterate=partial(_iterate, root, found),
    )


def _parts(found: tuple[_Masks, ...]) -> Iterator[Part]:
    by_word = {masks.word: masks for masks in found}
    for word in _SPLITS:
        masks = by_word.get(word)
        yield Part(f"gt_segmentations_{word}.json", f"masks of {_SPLITS[word]}", False, masks.file if masks else None)
        yield Part(_IMAGE_FOLDERS[word][0], f"images of {_SPLITS[word]}", False, masks.images if masks else None)


def _iterate(root: Path, found: tuple[_Masks, ...], ledger: Ledger) -> Iterator[Study]:
    for masks in found:
        regions = _read_packed(masks.file) if masks.packed else _read_contours(masks.file)
        for study, names in groupby(sorted(regions), key=_study_name):
            images = tuple(_image(root, masks, name, regions[name], ledger) for name in names)
            yield Study(
                id=study,
                patient=Patient(id=study.split("_")[0]),
                images=images,
                findings=_findings(images),
                split=_SPLITS[masks.word].value,
            )


def _study_name(image: str) -> str:
    return image.rsplit("_", 2)[0]


def _image(root: Path, masks: _Masks, name: str, of_image: Mapping[str, RunLengthMask], ledger: Ledger) -> StudyImage:
    match = _IMAGE.fullmatch(name)
    if match is None:
        raise DatasetError(f"{masks.file}: {name!r} is no image of CheXpert.", "Give CheXlocalize's own file.")
    patient, study, view, side = match.groups()
    folder = masks.images or root / _IMAGE_FOLDERS[masks.word][0]
    path = folder / patient / study / f"{view}.jpg"
    rows, columns = next(iter(of_image.values())).size if of_image else (None, None)
    if not path.is_file():
        ledger.note(*MISSING_IMAGE, case=name)
    elif rows is not None and picture_size(path) not in {(columns, rows), None}:
        ledger.note(*_OTHER_SIZE, case=name)
    regions = tuple(
        Region(label, condition_named(label, Source.CHEXLOCALIZE), mask=mask)
        for label, mask in of_image.items()
        if not is_empty(mask)
    )
    return StudyImage(name, ImageSource(str(path)), side.upper(), rows, columns, regions)


def _findings(images: tuple[StudyImage, ...]) -> tuple[Finding, ...]:
    positive = {region.condition for image in images for region in image.regions}
    return tuple(Finding(condition, _state(condition, positive)) for condition in CONDITIONS)


def _state(condition: Condition, positive: set[Condition | None]) -> State:
    if condition not in KNOWN_CONDITIONS:
        return State.BLANK
    return State.POSITIVE if condition in positive else State.NEGATIVE


def _read_packed(path: Path) -> dict[str, dict[str, RunLengthMask]]:
    """Return the masks of each image, by the publishers' name of the condition; empty ones are there too."""
    try:
        given = msgspec.json.decode(path.read_bytes(), type=dict[str, dict[str, _Packed]])
        return {
            name: {label: unpacked(packed.size, packed.counts) for label, packed in of_image.items()}
            for name, of_image in given.items()
        }
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise _unreadable(path, error) from error


def _read_contours(path: Path) -> dict[str, dict[str, RunLengthMask]]:
    """Return the masks that the contours of each image enclose."""
    try:
        given = msgspec.json.decode(path.read_bytes(), type=dict[str, dict[str, Any]])
        found = {}
        for name, of_image in given.items():
            size = msgspec.convert(of_image.pop("img_size", None), tuple[int, int])
            contours = msgspec.convert(of_image, dict[str, list[list[tuple[float, float]]]])
            found[name] = {label: mask_of_contours(size, of_label) for label, of_label in contours.items()}
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise _unreadable(path, error) from error
    return found


def _unreadable(path: Path, error: Exception) -> DatasetError:
    return DatasetError(f"{path} cannot be read as masks: {error}.", "Download the file again.")


_NEEDS = "gt_segmentations_val.json or gt_segmentations_test.json, and CheXpert's images"

SOURCES = (DataSource(NAME, TITLE, lambda root: bool(_find(root)), _open, _NEEDS),)
