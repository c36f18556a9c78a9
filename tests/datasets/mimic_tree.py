"""A miniature MIMIC-CXR on disk, in the exact layout of the published one, for the tests of what reads it."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

METADATA = (
    "dicom_id", "subject_id", "study_id", "PerformedProcedureStepDescription", "ViewPosition", "Rows", "Columns",
    "StudyDate", "StudyTime", "ProcedureCodeSequence_CodeMeaning", "ViewCodeSequence_CodeMeaning",
    "PatientOrientationCodeSequence_CodeMeaning",
)  # fmt: skip
# The published order of the label tables: alphabetical, as no other source has it.
LABELS = (
    "subject_id", "study_id", "Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Enlarged Cardiomediastinum",
    "Fracture", "Lung Lesion", "Lung Opacity", "No Finding", "Pleural Effusion", "Pleural Other", "Pneumonia",
    "Pneumothorax", "Support Devices",
)  # fmt: skip
SPLIT = ("dicom_id", "study_id", "subject_id", "split")

# Images: id, patient, study, view, rows, columns, split. Not in order of patient and study, on purpose.
IMAGES = (
    ("dicom-6", "10000980", "50985099", "AP", 2544, 3056, "validate"),
    ("dicom-1", "10000032", "50414267", "PA", 3056, 2544, "train"),
    ("dicom-2", "10000032", "50414267", "LATERAL", 3056, 2544, "train"),
    ("dicom-3", "10000032", "50414267", "", 2500, 3000, "train"),
    ("dicom-4", "10000032", "53189527", "PA", 3056, 2544, "train"),
    ("dicom-5", "10000764", "57375967", "AP", "", "", "test"),
)
FINDINGS_REPORT = """                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)

 INDICATION:  ___F with cough  // ?pneumonia

 FINDINGS:

 There is a small right effusion. No pneumothorax.

 IMPRESSION:

 Small right pleural effusion.
"""
REPORTS = {
    "50414267": FINDINGS_REPORT,
    "53189527": " IMPRESSION: No acute cardiopulmonary process.\n",
    "57375967": " IMPRESSION: Mild edema.\n",
    "50985099": " FINDINGS: Heart size is normal.\n",
}
STATES = {
    "50414267": {"Pleural Effusion": "1.0", "Pneumothorax": "0.0", "Pneumonia": "-1.0"},
    "53189527": {"No Finding": "1.0", "Support Devices": "1.0"},
    "57375967": {"Edema": "1.0"},
    "50985099": {"Cardiomegaly": "0.0"},
}


def write_table(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    open_text = gzip.open if path.suffix == ".gz" else open
    with open_text(path, "wt", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerows([header, *rows])
    return path


@dataclass
class Tree:
    """A miniature on disk; ``name`` of a table follows the version and the packing that the test asks for."""

    root: Path
    version: str = "2.0.0"
    packing: str = ".gz"
    suffix: str = ".jpg"

    def table(self, subject: str) -> Path:
        return self.root / f"mimic-cxr-{self.version}-{subject}.csv{self.packing}"

    def study(self, subject: str, study: str) -> Path:
        return self.root / "files" / f"p{subject[:2]}" / f"p{subject}" / f"s{study}"

    def image(self, name: str) -> Path:
        subject, study = next((row[1], row[2]) for row in IMAGES if row[0] == name)
        return self.study(subject, study) / f"{name}{self.suffix}"

    def report(self, study: str) -> Path:
        subject = next(row[1] for row in IMAGES if row[2] == study)
        return self.study(subject, study).with_name(f"s{study}.txt")

    def write_metadata(self, images: Sequence[Sequence[object]] = IMAGES) -> None:
        rows = [
            (name, subject, study, "CHEST", view, rows, columns, "21800506", "213014.531", "", "", "Erect")
            for name, subject, study, view, rows, columns, _ in images
        ]
        write_table(self.table("metadata"), METADATA, rows)

    def write_split(self, images: Sequence[Sequence[object]] = IMAGES) -> None:
        write_table(self.table("split"), SPLIT, [(row[0], row[2], row[1], row[6]) for row in images])

    def write_labels(self, states: dict[str, dict[str, str]], name: str = "chexpert") -> None:
        subjects = {row[2]: row[1] for row in IMAGES}
        rows = [
            (subjects.get(study, "19999999"), study, *(of_study.get(column, "") for column in LABELS[2:]))
            for study, of_study in states.items()
        ]
        write_table(self.table(name), LABELS, rows)

    def write_files(self) -> None:
        for row in IMAGES:
            path = self.image(row[0])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"no reader opens an image")
        for study, text in REPORTS.items():
            self.report(study).write_text(text, encoding="utf-8")

    def write(self) -> Tree:
        self.root.mkdir(exist_ok=True)
        self.write_metadata()
        self.write_split()
        self.write_labels(STATES)
        self.write_files()
        return self
