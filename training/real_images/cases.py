"""Real and simulated cases, told alike: the labels of both are those that NIH ChestX-ray14 could have given.

A condition that NIH does not label is blank in every case, of the phantoms too; so are side, severity and place. So the
kinds of training data differ in their images, and in how often and how rightly a condition is labeled, alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kdistill_core.conditions import CONDITIONS, STATE_CODES, Condition, State
from kdistill_core.datasets import Split
from kdistill_core.datasets.cache import Pixels
from kdistill_core.datasets.nih import KNOWN_CONDITIONS
from kdistill_core.datasets.prepared import prepare_images
from kdistill_core.records import Finding
from kdistill_core.teacher.library import RationaleLibrary, opening_name
from training.experiment.cases import ExperimentCases, training_cases
from training.experiment.errors import ExperimentError
from training.experiment.reports import ReportRead
from training.experiment.texts import ANATOMICAL_ORDER
from training.real_images.settings import RealImageSettings
from training.student_data import DataSettings, ImageFolder, nih_images

MAPPED = KNOWN_CONDITIONS
UNMAPPED = tuple(condition for condition in CONDITIONS if condition not in MAPPED)
# Apart from every seed of a phantom and of a training.
_VALIDATION_SEED = 20_261_126


@dataclass(frozen=True, eq=False)
class JoinedPixels:
    """The images of ``first`` and then those of ``second``."""

    first: Pixels
    second: Pixels

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    def __getitem__(self, index: int | slice) -> NDArray[np.uint8]:
        """Return one image uint8 [S, S], or those of a slice [n, S, S]."""
        if isinstance(index, slice):
            return np.stack([self[at] for at in range(*index.indices(len(self)))])
        at = range(len(self))[index]
        return self.first[at] if at < len(self.first) else self.second[at - len(self.first)]


def real_cases(settings: RealImageSettings, split: Split) -> ExperimentCases:
    """Return the real images of a split, which is by patient and the same for all seeds.

    Of training those are left out whose only labels have no counterpart among ours, since no rationale fits them; of
    validation a random part where there are more than ``settings.validation``. Raises ExperimentError, TableError.
    """
    _check(settings)
    studies = nih_images(DataSettings(nih=[ImageFolder(settings.images, settings.table)]), split)
    if split is Split.VALIDATION and len(studies) > settings.validation:
        order = np.random.default_rng(_VALIDATION_SEED).permutation(len(studies))
        studies = [studies[at] for at in sorted(order[: settings.validation])]
    phantoms = settings.phantoms
    cache = prepare_images(phantoms.cache, studies, settings.student.image_size, workers=phantoms.workers)
    if cache.left_out:
        lost = cache.left_out[0]
        raise ExperimentError(
            f"{len(cache.left_out)} of {len(studies)} images cannot be read; the first, {lost.id}: {lost.reason}",
            "Restore them, or remove their lines from the table.",
        )
    return ExperimentCases(
        tuple(study.id for study in cache.studies),
        tuple(study.patient.id for study in cache.studies),
        cache.pixels,
        tuple(reduced(study.findings) for study in cache.studies),
    )


def phantom_cases(settings: RealImageSettings, seed: int) -> ExperimentCases:
    """Return the phantoms that a seed trains on, but those that show nothing except what NIH does not label."""
    cases = training_cases(settings.phantoms, settings.student.image_size, seed)
    cases = replace(cases, truth=tuple(reduced(findings) for findings in cases.truth))
    shown = [any(finding.state is State.POSITIVE for finding in findings) for findings in cases.truth]
    return cases.part(np.flatnonzero(shown))


def reduced(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return the 14 findings as far as NIH would label them, of no side, severity or place.

    No Finding is blank where something is there and none of it has a label in NIH: such an image is not normal.
    """
    states = {finding.condition: finding.state for finding in findings if finding.condition in MAPPED}
    if State.POSITIVE not in states.values():
        states.pop(Condition.NO_FINDING, None)
    return tuple(Finding(condition, states.get(condition, State.BLANK)) for condition in CONDITIONS)


def joined(first: ExperimentCases, second: ExperimentCases) -> ExperimentCases:
    """Return the cases of both."""
    return ExperimentCases(
        first.ids + second.ids,
        first.patients + second.patients,
        JoinedPixels(first.pixels, second.pixels),
        first.truth + second.truth,
        first.reports + second.reports,
    )


def with_label_texts(cases: ExperimentCases, library: RationaleLibrary) -> ExperimentCases:
    """Return ``cases`` with the sentences of their labels in the place of the reports that they lack."""
    reports = []
    for findings in cases.truth:
        codes = tuple(STATE_CODES[finding.state] for finding in findings)
        reports.append(ReportRead(label_text(findings, library), findings, codes, codes))
    return replace(cases, reports=tuple(reports))


def label_text(findings: Sequence[Finding], library: RationaleLibrary) -> str:
    """Return one plain sentence a labeled condition, in anatomical order: the knowledge base's own.

    An image with a finding says so by that finding, without a sentence on No Finding.
    """
    states = {finding.condition: finding.state for finding in findings}
    name = opening_name(None, None)
    said = (library.assertions[condition].get(states[condition], {}).get(name, "") for condition in ANATOMICAL_ORDER)
    return " ".join(sentence for sentence in said if sentence)


def _check(settings: RealImageSettings) -> None:
    for path, there, what in (
        (settings.images, settings.images.is_dir(), "folder of NIH images"),
        (settings.table, settings.table.is_file(), "table of NIH labels"),
    ):
        if not there:
            raise ExperimentError(
                f"The {what} {path} is missing.",
                "Put NIH ChestX-ray14 (or a part of it) there, or set `real.images` and `real.table` to where it lies.",
            )
