"""What became of each image of a run, as a table."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

FILE_NAME = "outcomes.csv"
HEADER = ("file", "frame", "outcome", "detail", "folder", "seconds")


class Outcome(StrEnum):
    """How the work on one image ended."""

    EXPLAINED = "explained"
    DECLINED = "declined"  # not a frontal chest radiograph
    UNREADABLE = "unreadable"
    FAILED = "failed"


@dataclass(frozen=True)
class ImageOutcome:
    """One image (``frame`` counted from 1) and how it ended; ``detail`` is one line in plain words."""

    file: str
    outcome: Outcome
    detail: str = ""
    folder: str = ""
    frame: int = 1
    seconds: float = 0.0

    def row(self) -> tuple[str, ...]:
        """Return the cells of :data:`HEADER`."""
        return (self.file, str(self.frame), self.outcome.value, self.detail, self.folder, f"{self.seconds:.1f}")


def write_outcomes(outcomes: Iterable[ImageOutcome], folder: Path) -> Path:
    """Write outcomes.csv into ``folder`` and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE_NAME
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(HEADER)
        writer.writerows(outcome.row() for outcome in outcomes)
    return path


def counts(outcomes: Sequence[ImageOutcome]) -> str:
    """Return how many images ended in each way, such as ``3 explained, 1 declined``."""
    numbers = {kind: sum(outcome.outcome is kind for outcome in outcomes) for kind in Outcome}
    return ", ".join(f"{number} {kind.value}" for kind, number in numbers.items() if number) or "no images"
