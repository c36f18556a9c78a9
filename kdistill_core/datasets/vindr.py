"""VinDr-CXR (Nguyen et al., Scientific Data 2022): boxes and labels of several radiologists, on DICOM images.

PhysioNet's release has a table of labels and one of boxes for each of train and test; the competition's has one table
of boxes, 14 classes and no labels of its test images. Three radiologists read each training image, and they disagree:
a condition is positive where more than half marked it, negative where none did, and uncertain in between. A policy for
uncertain labels then decides: zeros gives the majority vote, ones counts any reader. The labels of PhysioNet's test
images are one consensus of five.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kdistill_core.conditions import CONDITIONS, Condition, Source, State, condition_named
from kdistill_core.datasets.contract import DataSet, DatasetError, DataSource, Ledger, Part, ReadOptions
from kdistill_core.datasets.grouping import rows_by
from kdistill_core.datasets.image_files import ImageFiles
from kdistill_core.datasets.label_lists import findings_of_list
from kdistill_core.datasets.splits import Shares, Split, split_of
from kdistill_core.datasets.vindr_boxes import CLASS, READER, boxes_of, read_boxes
from kdistill_core.records import Finding, Region, Study, StudyImage
from kdistill_core.tables import Row, TableError, column_names, plain_or_gzipped, read_rows

NAME = "vindr"
TITLE = "VinDr-CXR"
_ID = "image_id"
_COMPETITION_COLUMNS = (_ID, CLASS, READER, "x_min", "y_min", "x_max", "y_max")
_COMPETITION_CLASSES = (
    "Aortic enlargement", "Atelectasis", "Calcification", "Cardiomegaly", "Consolidation", "ILD", "Infiltration",
    "Lung Opacity", "Nodule/Mass", "Other lesion", "Pleural effusion", "Pleural thickening", "Pneumothorax",
    "Pulmonary fibrosis", "No finding",
)  # fmt: skip
_MARKS = {"": False, "0": False, "0.0": False, "1": True, "1.0": True}
# Of PhysioNet's training images a tenth validates; its test images are those published as such.
_PHYSIONET_SHARES = Shares(validation=0.1, test=0.0)

_DISAGREE = ("readers disagree", "Some, but not most, of the readers marked a condition; it counts as uncertain.")
_NOT_DICOM = (
    "box on a converted image",
    "Boxes are in pixels of the published DICOM file; this image is a converted copy, so check that it has its size.",
)
_STRAY_BOX = ("box of an unknown image", "The table of boxes names this image, and the table of labels does not.")


@dataclass(frozen=True)
class _Part:
    """One table of labels (in the competition's form also that of boxes), its boxes, and its folder of images."""

    labels: Path
    boxes: Path | None
    images: Path
    split: Split | None  # None: by a hash
    competition: bool = False


def _find(root: Path) -> tuple[_Part, ...]:
    table = plain_or_gzipped(root / "train.csv")
    if table and _has_columns(table, _COMPETITION_COLUMNS):
        return (_Part(table, table, root / "train", None, competition=True),)
    return tuple(_physionet(root))


def _physionet(root: Path) -> Iterator[_Part]:
    folders = (root / "annotations", root)
    for split in (Split.TRAIN, Split.TEST):
        labels = _first(folders, f"image_labels_{split}.csv")
        # VinDr-PCXR, the set of children, names its files alike.
        if labels and _has_columns(labels, (_ID, "Nodule/Mass")):
            yield _Part(labels, _first(folders, f"annotations_{split}.csv"), root / split.value, split)


def _first(folders: Iterable[Path], name: str) -> Path | None:
    return next((path for folder in folders if (path := plain_or_gzipped(folder / name))), None)


def _has_columns(table: Path, wanted: Sequence[str]) -> bool:
    try:
        return set(wanted) <= set(column_names(table))
    except TableError:
        return False


def _open(root: Path, options: ReadOptions) -> DataSet:
    if options.labels:
        raise DatasetError(f"{TITLE} has one set of labels; there is none named {options.labels!r}.", "Name none.")
    found = _find(root)
    if not found:
        raise DatasetError(
            f"{root} holds neither annotations/image_labels_train.csv nor the competition's train.csv.",
            "Put the tables beside the folders train and test.",
        )
    competition = found[0].competition
    return DataSet(
        name=NAME,
        title=f"{TITLE}, the competition's release" if competition else TITLE,
        root=root,
        parts=tuple(_parts(root, found)),
        conditions=_labeled(found),
        label_source=(
            "radiologists: positive where more than half of an image's readers marked it, uncertain where some did, "
            "else negative" + ("" if competition else "; test images by a consensus of five")
        ),
        splits=(
            "no patient ids are published, so images of one patient may lie on both sides; "
            + ("by a hash of the image" if competition else "test as published, a tenth of train for validation")
        ),
        iterate=partial(_iterate, found),
        unmapped=_count_unmapped(found),
    )


def _parts(root: Path, found: Iterable[_Part]) -> Iterator[Part]:
    for part in found:
        yield Part(part.labels.relative_to(root).as_posix(), "labels by reader", found=part.labels)
        if not part.competition:
            yield Part(f"annotations_{part.split}.csv", "boxes by reader", needed=False, found=part.boxes)
        yield Part(part.images.name, "images", found=part.images if part.images.is_dir() else None)


def _classes(part: _Part) -> tuple[str, ...]:
    """Return the classes that a table labels."""
    if part.competition:
        return _COMPETITION_CLASSES
    return tuple(name for name in column_names(part.labels) if name not in {_ID, READER, ""})


def _labeled(found: Iterable[_Part]) -> tuple[Condition, ...]:
    known = {condition_named(name, Source.VINDR) for part in found for name in _classes(part)}
    return tuple(condition for condition in CONDITIONS if condition in known)


def _count_unmapped(found: Iterable[_Part]) -> tuple[tuple[str, int], ...]:
    """Return the classes without a counterpart and how often a reader marked an image with them."""
    counted: Counter[str] = Counter()
    for part in found:
        for marks in _marks_by_reader(part):
            counted.update(name for name in marks if condition_named(name, Source.VINDR) is None)
    return tuple(counted.most_common())


def _marks_by_reader(part: _Part) -> Iterator[frozenset[str]]:
    if part.competition:
        seen = {(row[_ID], row[READER], row[CLASS]) for row in read_rows(part.labels, _COMPETITION_COLUMNS)}
        yield from (frozenset({name}) for _, _, name in seen)
        return
    classes = _classes(part)
    for row in read_rows(part.labels, (_ID,)):
        yield _marked(part.labels, row, classes)


def _iterate(found: tuple[_Part, ...], ledger: Ledger) -> Iterator[Study]:
    for part in found:
        files = ImageFiles((part.images,))
        listed = read_boxes(part.boxes) if part.boxes and not part.competition else {}
        classes = _classes(part)
        labeled = _labeled((part,))
        for name, rows in rows_by(part.labels, (_ID,), _ID):
            boxes = boxes_of(part.labels, rows) if part.competition else listed.pop(name, ())
            readers = _of_competition(rows) if part.competition else _of_physionet(part.labels, rows, classes)
            yield Study(
                id=name,
                images=(_image(part, name, boxes, files, ledger),),
                findings=_vote(name, readers, labeled, ledger),
                split=_split(part, name),
            )
        for name in listed:
            ledger.note(*_STRAY_BOX, case=name)
        files.note_unlisted(ledger)


def _image(part: _Part, name: str, regions: tuple[Region, ...], files: ImageFiles, ledger: Ledger) -> StudyImage:
    source = files.source(name, part.images / f"{name}.dicom", ledger)
    if regions and not source.path.lower().endswith((".dicom", ".dcm")):
        ledger.note(*_NOT_DICOM, case=name)
    # The data set holds frontal views from behind alone, as its paper says; no table repeats it.
    return StudyImage(name, source, "PA", regions=regions)


def _of_competition(rows: Iterable[Row]) -> list[frozenset[str]]:
    """Return what each reader of an image marked."""
    readers: dict[str, set[str]] = {}
    for row in rows:
        readers.setdefault(row[READER], set()).add(row[CLASS])
    return [frozenset(names) for names in readers.values()]


def _of_physionet(table: Path, rows: Iterable[Row], classes: Sequence[str]) -> list[frozenset[str]]:
    """Return what each reader of an image marked. Raises TableError for a reader who is there twice."""
    lines: dict[str, int] = {}
    for row in rows:
        first = lines.setdefault(row.get(READER), row.line)
        if first != row.line:
            raise TableError(
                f"{table}, line {row.line}: the image {row[_ID]} is there already for this reader, in line {first}.",
                "Remove one of the two rows.",
            )
    return [_marked(table, row, classes) for row in rows]


def _marked(table: Path, row: Row, classes: Sequence[str]) -> frozenset[str]:
    wrong = [name for name in classes if row[name] not in _MARKS]
    if wrong:
        raise TableError(
            f"{table}, line {row.line}, column {wrong[0]!r}: {row[wrong[0]]!r} is neither 1 nor 0.", "Write 1 or 0."
        )
    return frozenset(name for name in classes if _MARKS[row[name]])


def _vote(
    image: str, readers: Sequence[frozenset[str]], labeled: tuple[Condition, ...], ledger: Ledger
) -> tuple[Finding, ...]:
    """Return what the readers of an image find together; each one's list is closed under the hierarchy first."""
    read = [findings_of_list(_mapped(names), labeled) for names in readers]
    found = tuple(
        Finding(condition, _joined([of_reader[place].state for of_reader in read]))
        for place, condition in enumerate(CONDITIONS)
    )
    if any(finding.state is State.UNCERTAIN for finding in found):
        ledger.note(*_DISAGREE, case=image)
    return found


def _mapped(names: Iterable[str]) -> set[Condition]:
    mapped = {condition_named(name, Source.VINDR) for name in names}
    return {condition for condition in mapped if condition is not None}


def _joined(states: Sequence[State]) -> State:
    positive = sum(state is State.POSITIVE for state in states)
    if positive:
        return State.POSITIVE if 2 * positive > len(states) else State.UNCERTAIN
    return State.NEGATIVE if State.NEGATIVE in states else State.BLANK


def _split(part: _Part, image: str) -> str:
    if part.split is None:
        return split_of(NAME, image).value
    if part.split is Split.TEST:
        return Split.TEST.value
    return split_of(NAME, image, _PHYSIONET_SHARES).value


_NEEDS = "annotations/image_labels_train.csv, or the competition's train.csv"

SOURCES = (DataSource(NAME, TITLE, lambda root: bool(_find(root)), _open, _NEEDS),)
