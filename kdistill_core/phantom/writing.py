"""A folder of phantoms: DICOM files, masks, reports, tables of labels, and the whole truth."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from kdistill_core.conditions import CONDITIONS, STATE_CODES
from kdistill_core.phantom.case import PhantomCase, simulate
from kdistill_core.phantom.dicom import write_dicom
from kdistill_core.phantom.disease import Disease
from kdistill_core.phantom.errors import PhantomError
from kdistill_core.records import Finding
from kdistill_core.serialization import to_json


@dataclass(frozen=True)
class CaseTruth:
    """What is known of one written case; paths are relative to the folder."""

    id: str
    seed: int
    rows: int
    columns: int
    view_position: str
    image: str
    report: str
    masks: dict[str, str]  # condition to file
    findings: tuple[Finding, ...]  # of the image
    reported: tuple[Finding, ...]  # of the report
    diseases: tuple[Disease, ...]


@dataclass(frozen=True)
class FolderTruth:
    """The truth of a folder of phantoms."""

    seed: int
    hierarchy: str
    cases: tuple[CaseTruth, ...]


HIERARCHY = (
    "Cardiomegaly implies Enlarged Cardiomediastinum; Edema, Consolidation, Lung Lesion and Atelectasis imply "
    "Lung Opacity; Pneumonia implies Consolidation. No Finding allows Support Devices."
)


def write_cases(
    count: int,
    size: int | tuple[int, int],
    seed: int,
    out_dir: Path | str,
    progress: Callable[[int, int], None] | None = None,
) -> FolderTruth:
    """Write ``count`` phantoms with the seeds from ``seed`` on to ``out_dir`` and return their truth.

    size: pixels of a square picture, or (rows, columns). progress: called with (done, count) after each case.
    Written: images/ID.dcm, reports/ID.txt, masks/ID/CONDITION.png (255 where the disease is), labels.csv (truth of the
    image), reported.csv (what the report says), truth.json. Cells are 1, 0, -1 or empty as in CheXpert's tables.
    Raises PhantomError when the count is not positive or the folder cannot be written.
    """
    if count < 1:
        raise PhantomError(f"{count} cases cannot be written.", "Choose a count from 1.")
    rows, columns = (size, size) if isinstance(size, int) else size
    folder = Path(out_dir)
    cases: list[CaseTruth] = []
    try:
        for name in ("images", "reports", "masks"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            cases.append(_write_case(simulate(seed + index, rows, columns), folder))
            if progress is not None:
                progress(index + 1, count)
        _write_table(folder / "labels.csv", [(case.id, case.findings) for case in cases])
        _write_table(folder / "reported.csv", [(case.id, case.reported) for case in cases])
        written = FolderTruth(seed, HIERARCHY, tuple(cases))
        (folder / "truth.json").write_bytes(to_json(written))
    except OSError as error:
        raise PhantomError(
            f"The phantoms cannot be written to {folder}: {error.strerror}.",
            "Choose a folder that you may write to, with enough room.",
        ) from error
    return written


def _write_case(case: PhantomCase, folder: Path) -> CaseTruth:
    name = f"phantom-{case.seed:06d}"
    image, report = f"images/{name}.dcm", f"reports/{name}.txt"
    write_dicom(case.radiograph, folder / image)
    (folder / report).write_text(case.report.text, encoding="utf-8")
    masks: dict[str, str] = {}
    (folder / "masks" / name).mkdir(exist_ok=True)
    for condition, mask in case.masks.items():
        file = f"masks/{name}/{condition.value.lower().replace(' ', '-')}.png"
        Image.fromarray(mask.astype(np.uint8) * np.uint8(255)).save(folder / file)
        masks[condition.value] = file
    return CaseTruth(
        id=name,
        seed=case.seed,
        rows=case.radiograph.rows,
        columns=case.radiograph.columns,
        view_position=case.radiograph.view_position,
        image=image,
        report=report,
        masks=masks,
        findings=case.findings,
        reported=case.reported,
        diseases=case.diseases,
    )


def _write_table(path: Path, rows: Sequence[tuple[str, Sequence[Finding]]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", *(condition.value for condition in CONDITIONS)])
        for name, findings in rows:
            codes = [STATE_CODES[finding.state] for finding in findings]
            writer.writerow([name, *("" if code is None else int(code) for code in codes)])
