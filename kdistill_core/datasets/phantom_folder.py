"""A folder that ``kdistill phantom generate`` wrote: images, masks and reports of cases whose truth is known."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from kdistill_core.conditions import CONDITIONS, condition_named
from kdistill_core.datasets.contract import DataSet, DatasetError, DataSource, Ledger, Part, ReadOptions
from kdistill_core.datasets.masks import mask_of_array
from kdistill_core.datasets.remark_kinds import MISSING_IMAGE, MISSING_REPORT
from kdistill_core.datasets.splits import split_of
from kdistill_core.labeling.sections import report_sections
from kdistill_core.records import ImageSource, Patient, Region, Report, Study, StudyImage
from kdistill_core.serialization import RecordError, from_json

if TYPE_CHECKING:
    from kdistill_core.phantom.writing import CaseTruth, FolderTruth

NAME = "phantom"
TITLE = "Phantoms"
_TRUTH, _REPORTED = "truth", "reported"
_LABEL_SETS = {_TRUTH: "the truth of the simulated image", _REPORTED: "what the simulated report says"}
_MISSING_MASK = ("missing mask", "The truth names a mask of this image, but its file is not there or no picture.")


def _recognizes(root: Path) -> bool:
    return (root / "truth.json").is_file() and (root / "reported.csv").is_file()


def _open(root: Path, options: ReadOptions) -> DataSet:
    labels = options.labels or _TRUTH
    if labels not in _LABEL_SETS:
        raise DatasetError(f"Phantoms have no label set {labels!r}.", f"Choose one of {', '.join(_LABEL_SETS)}.")
    file = root / "truth.json"
    if not file.is_file():
        raise DatasetError(f"{root} holds no truth.json.", "Write phantoms with `kdistill phantom generate`.")
    truth = _read(file)
    found = {name: root / name if (root / name).is_dir() else None for name in ("images", "masks", "reports")}
    return DataSet(
        name=NAME,
        title=TITLE,
        root=root,
        parts=(
            Part("truth.json", "what was simulated", found=file),
            Part("images", "images", found=found["images"]),
            Part("masks", "masks", needed=False, found=found["masks"]),
            Part("reports", "reports", needed=False, found=found["reports"]),
        ),
        conditions=CONDITIONS,
        label_source=_LABEL_SETS[labels],
        splits="by a hash of the case: 72 % train, 10 % validation, 18 % test",
        iterate=partial(_iterate, root, truth, options),
    )


def _read(file: Path) -> FolderTruth:
    # Simulating needs packages that reading a data set does not.
    from kdistill_core.phantom.writing import FolderTruth

    try:
        return from_json(file.read_bytes(), FolderTruth)
    except RecordError as error:
        raise DatasetError(f"{file}: {error.problem}", error.advice) from error


def _iterate(root: Path, truth: FolderTruth, options: ReadOptions, ledger: Ledger) -> Iterator[Study]:
    for case in truth.cases:
        path = root / case.image
        if not path.is_file():
            ledger.note(*MISSING_IMAGE, case=case.id)
        regions = tuple(_regions(root, case, ledger))
        yield Study(
            id=case.id,
            patient=Patient(id=case.id),
            images=(StudyImage(case.id, ImageSource(str(path)), case.view_position, case.rows, case.columns, regions),),
            report=_report(root, case, ledger) if options.reports else None,
            findings=case.reported if options.labels == _REPORTED else case.findings,
            split=split_of(NAME, case.id).value,
        )


def _regions(root: Path, case: CaseTruth, ledger: Ledger) -> Iterator[Region]:
    for label, file in case.masks.items():
        try:
            with Image.open(root / file) as picture:
                pixels = np.asarray(picture.convert("L")) > 0
        except OSError:
            ledger.note(*_MISSING_MASK, case=case.id)
            continue
        yield Region(label, condition_named(label), mask=mask_of_array(pixels))


def _report(root: Path, case: CaseTruth, ledger: Ledger) -> Report | None:
    try:
        text = (root / case.report).read_text(encoding="utf-8")
    except FileNotFoundError:
        ledger.note(*MISSING_REPORT, case=case.id)
        return None
    return Report(text, report_sections(text))


SOURCES = (DataSource(NAME, TITLE, _recognizes, _open, "what `kdistill phantom generate` writes"),)
