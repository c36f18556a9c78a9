"""The prepared sets a student is trained, selected, calibrated and measured on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kdistill_core.conditions import State
from kdistill_core.datasets import Split
from kdistill_core.datasets import nih as nih_set
from kdistill_core.datasets.cache import PixelCache
from kdistill_core.datasets.nih import read_nih
from kdistill_core.datasets.prepared import PHANTOM, prepare_images, prepare_phantoms
from kdistill_core.distillation.batches import condition_codes
from kdistill_core.distillation.errors import DistillationError
from kdistill_core.records import Finding, Study
from training.data_sets import DataSetSettings, cases_of, judging_labels, training_labels

NIH = nih_set.NAME


@dataclass
class PhantomSettings:
    """Simulated cases; seeds run on from ``first_seed``, every split from its own.

    side: pixels a side the phantoms are simulated at.
    """

    train: int = 6000
    validation: int = 400
    test: int = 200
    first_seed: int = 1_000_000
    side: int = 256


@dataclass
class ImageFolder:
    """A folder of NIH images and the table that labels them."""

    images: Path
    table: Path


@dataclass
class DataSettings:
    """What to train on.

    nih: parts of NIH ChestX-ray14; an image in several is taken from the first. sets: any other data sets that a
    reader knows. detail: pixels a side, of which no image that is not simulated shows more, for parts and sets of
    several resolutions. cache: where prepared images are kept between runs. workers: processes that prepare them.
    """

    phantom: PhantomSettings = field(default_factory=PhantomSettings)
    nih: list[ImageFolder] = field(default_factory=list)
    sets: list[DataSetSettings] = field(default_factory=list)
    detail: int | None = None
    cache: Path = Path("runs/cache")
    workers: int = max(1, (os.cpu_count() or 1))


# The distance between the seeds of two splits, far more than anyone simulates.
_SPLIT_STRIDE = 10_000_000


def prepare(settings: DataSettings, split: Split, size: int) -> dict[str, PixelCache]:
    """Return the sets of ``split`` by name, prepared at ``size`` pixels; waits for what is not cached yet."""
    phantom = settings.phantom
    count = {Split.TRAIN: phantom.train, Split.VALIDATION: phantom.validation, Split.TEST: phantom.test}[split]
    start = phantom.first_seed + list(Split).index(split) * _SPLIT_STRIDE
    sets: dict[str, PixelCache] = {}
    if count:
        sets[PHANTOM] = prepare_phantoms(
            settings.cache,
            range(start, start + count),
            phantom.side,
            size,
            split.value,
            workers=settings.workers,
            report=_progress(f"phantoms, {split}"),
        )
    images = nih_images(settings, split)
    if images:
        sets[NIH] = _prepared(settings, images, size, f"NIH radiographs, {split}")
    for one in settings.sets:
        if one.name in sets:
            raise DistillationError(f"Two data sets are named {one.name!r}.", "Give each a `name` of its own.")
        sets[one.name] = _prepared(settings, cases_of(one, split), size, f"{one.name}, {split}")
    for name, prepared in sets.items():
        for lost in prepared.left_out:
            print(f"left out of {name}, {split}: {lost.id}: {lost.reason}", flush=True)
    return sets


def _prepared(settings: DataSettings, images: Sequence[Study], size: int, what: str) -> PixelCache:
    return prepare_images(
        settings.cache, images, size, detail=settings.detail, workers=settings.workers, report=_progress(what)
    )


def nih_images(settings: DataSettings, split: Split) -> list[Study]:
    """Return the NIH images of ``split``, each once; training leaves out those of which nothing of the 14 is said."""
    found: dict[str, Study] = {}
    for part in settings.nih:
        for study in read_nih(part.images, part.table):
            if study.split == split:
                found.setdefault(study.id, study)
    if split is not Split.TRAIN:
        return list(found.values())
    # A rationale of "no abnormality" would be wrong for an image whose one label (a hernia) has no counterpart.
    return [study for study in found.values() if any(finding.state is State.POSITIVE for finding in study.findings)]


def taught_labels(settings: DataSettings, name: str, cache: PixelCache) -> NDArray[np.float32]:
    """Return what the classifier learns of the training cases of the set ``name``, float32 [N, 14] as `labels_of`."""
    given = _set_named(settings, name)
    return labels_of(cache) if given is None else training_labels(given, _findings(cache))


def judged_labels(settings: DataSettings, name: str, cache: PixelCache) -> NDArray[np.float32]:
    """Return what calibration and thresholds are chosen by, of the validation cases of the set ``name``."""
    given = _set_named(settings, name)
    return labels_of(cache) if given is None else judging_labels(given, _findings(cache))


def _set_named(settings: DataSettings, name: str) -> DataSetSettings | None:
    return next((one for one in settings.sets if one.name == name), None)


def _findings(cache: PixelCache) -> list[tuple[Finding, ...]]:
    return [study.findings for study in cache.studies]


def labels_of(cache: PixelCache) -> NDArray[np.float32]:
    """Return float32 [N, 14] of 1, 0, -1 (uncertain) or NaN (blank)."""
    return np.asarray([condition_codes(study.findings) for study in cache.studies], dtype=np.float32)


def _progress(what: str, every_seconds: float = 15.0) -> Callable[[int, int], None]:
    started = last = time.monotonic()
    first: int | None = None

    def report(done: int, total: int) -> None:
        nonlocal last, first
        now = time.monotonic()
        first = done if first is None else first
        if now - last < every_seconds and done < total:
            return
        last = now
        rate = (done - first) / max(now - started, 1e-9)
        left = f", {(total - done) / rate / 60:.1f} min left" if rate > 0 else ""
        print(f"preparing {what}: {done} of {total}{left}", flush=True)

    return report
