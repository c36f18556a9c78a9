"""How many of the real radiographs the screening lets through, and which it declines.

    python tests/benchmarks/bench_screening.py ../shared/data

Those of NIH patients that the numbers were not fitted on (patient number modulo 20 below 3) are counted apart.
"""

from __future__ import annotations

import sys
from pathlib import Path

from kdistill_core.imaging import read_radiograph
from kdistill_core.imaging.screening import screen

FOLDERS = ("dicom", "images/lung_masks/images", "images/hannover/images", "images/nih/512", "images/nih/128")


def main(data: Path) -> None:
    for folder in FOLDERS:
        reasons = {path: screen(read_radiograph(path)) for path in sorted((data / folder).iterdir())}
        print_rate(folder, reasons)
        if "nih" in folder:
            unseen = {path: reason for path, reason in reasons.items() if int(path.stem[:8]) % 20 < 3}
            print_rate(f"{folder}, not fitted on", unseen)
        for path, reason in reasons.items():
            if reason:
                print(f"    {path.name}: {reason}")


def print_rate(title: str, reasons: dict[Path, str | None]) -> None:
    accepted = sum(reason is None for reason in reasons.values())
    print(f"{title}: {accepted} of {len(reasons)} accepted ({100 * accepted / len(reasons):.2f} %)")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
