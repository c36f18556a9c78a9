"""Make the bundled cases: simulated radiographs, one an image file, with the truth and the report beside each.

.venv/bin/python tools/make_cases.py
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kdistill_core.conditions import Condition
from kdistill_core.phantom import Disease, simulate
from kdistill_core.phantom.dicom import write_dicom
from kdistill_core.records import Finding, Severity, Side
from kdistill_core.serialization import to_json

FOLDER = Path(__file__).resolve().parents[1] / "resources" / "cases"
# Large enough to show ribs and vessels, small enough to lie in a repository.
ROWS, COLUMNS = 640, 560
# Seeds far from those that the demo model was trained and measured on.
CASES: dict[str, tuple[int, tuple[Disease, ...]]] = {
    "effusion": (900_015, (Disease(Condition.PLEURAL_EFFUSION, Side.LEFT, Severity.LARGE),)),
    "pneumothorax": (900_002, (Disease(Condition.PNEUMOTHORAX, Side.RIGHT, Severity.LARGE),)),
    "cardiomegaly": (900_003, (Disease(Condition.CARDIOMEGALY, severity=Severity.LARGE),)),
    "normal": (900_004, ()),
}


@dataclass(frozen=True)
class BundledTruth:
    """What is known of a bundled case: what the image shows, and what its report says."""

    image: str
    seed: int
    findings: tuple[Finding, ...]
    reported: tuple[Finding, ...]
    report: str


def main() -> None:
    """Write every case."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, (seed, diseases) in CASES.items():
        case = simulate(seed, ROWS, COLUMNS, diseases)
        image = FOLDER / f"{name}.dcm"
        write_dicom(case.radiograph, image)
        truth = BundledTruth(image.name, seed, case.findings, case.reported, case.report.text)
        (FOLDER / f"{name}.truth.json").write_bytes(to_json(truth))


if __name__ == "__main__":
    main()
