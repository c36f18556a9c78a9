"""The reports that a training may read, and what is made of their texts: once for all arms of a noise level and seed.

A report is written from the same diseases as its phantom's image, without simulating that again, since a phantom's
random streams do not depend on one another. The texts themselves are not kept: no arm sees more than is made of them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from kdistill_core.conditions import CONDITIONS
from kdistill_core.distillation.reading import BASELINE_LABELER, read_report, reading_codes
from kdistill_core.phantom.body import draw_body
from kdistill_core.phantom.case import _STREAMS
from kdistill_core.phantom.disease import draw_diseases, truth
from kdistill_core.phantom.report import AUTHORS, write_report
from kdistill_core.records import Finding
from training.experiment.errors import ExperimentError
from training.experiment.settings import Noise
from training.experiment.texts import findings_read, ordered_report

Code = float | None


@dataclass(frozen=True)
class ReportRead:
    """What is made of one report.

    ordered: what a generator is to write of it. findings: all 14, as the teacher is told them. baseline, teacher: one
    code a condition by the labeler of the end-to-end arms and by the teacher's reading; 1, 0, -1 (hedged) or None.
    """

    ordered: str
    findings: tuple[Finding, ...]
    baseline: tuple[Code, ...]
    teacher: tuple[Code, ...]


@dataclass(frozen=True)
class ReportStore:
    """Reports of one noise level; ``folder`` keeps what was read of them."""

    noise: Noise
    folder: Path

    def of(self, name: str, seeds: Sequence[int], shown: Sequence[tuple[Finding, ...]]) -> tuple[ReportRead, ...]:
        """Return what is made of the reports on the phantoms of ``seeds``, whose images show the findings ``shown``.

        name: of the set of cases. Raises ExperimentError for images of another simulator.
        """
        path = self.folder / f"{name}.json"
        if path.is_file():
            return msgspec.json.decode(path.read_bytes(), type=tuple[ReportRead, ...])
        read = read_reports([self._report(seed, found) for seed, found in zip(seeds, shown, strict=True)])
        path.parent.mkdir(parents=True, exist_ok=True)
        arriving = path.with_name(f".{path.name}.{os.getpid()}")
        arriving.write_bytes(msgspec.json.encode(read))
        arriving.replace(path)
        return read

    def _report(self, seed: int, shown: tuple[Finding, ...]) -> str:
        text, written_from = noisy_report(seed, self.noise)
        if written_from != shown:
            raise ExperimentError(
                f"The report on phantom {seed} would be about other findings than its image shows.",
                "The cache is of another simulator: give a fresh folder as `cases.cache`.",
            )
        return text


def read_reports(texts: Sequence[str]) -> tuple[ReportRead, ...]:
    """Return what is made of each of ``texts``."""
    baseline = _plain(BASELINE_LABELER.codes(texts))
    teacher = _plain(reading_codes([read_report(text) for text in texts]))
    return tuple(
        ReportRead(ordered_report(text), findings_read(text), *codes)
        for text, *codes in zip(texts, baseline, teacher, strict=True)
    )


def codes_of(rows: Sequence[Sequence[Code]]) -> NDArray[np.float32]:
    """Return codes as float32 [N, K] of 1, 0, -1 or NaN."""
    return np.array(rows, dtype=np.float32).reshape(len(rows), len(CONDITIONS))


def noisy_report(seed: int, noise: Noise) -> tuple[str, tuple[Finding, ...]]:
    """Return the report on the phantom of ``seed`` and the truth that it was written from.

    Its author is the one that the simulator draws for the phantom, who hedges, overcalls and digresses as ever, and
    leaves out at the rate of ``noise``. The same seed and noise give the same text.
    """
    body, choice, words = (_stream(seed, name) for name in ("body", "choice", "report"))
    person = draw_body(body)
    diseases = draw_diseases(choice, person.view)
    # The first draw of the stream settles the author, and is drawn again by the simulator.
    author = AUTHORS[int(_stream(seed, "report").integers(len(AUTHORS)))]
    found = truth(diseases)
    report, _ = write_report(found, diseases, person, words, replace(author, omission=noise.omission))
    return report.text, found


def _stream(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, _STREAMS.index(name)])


def _plain(codes: NDArray[np.float32]) -> list[tuple[Code, ...]]:
    return [tuple(None if np.isnan(code) else float(code) for code in row) for row in codes]
