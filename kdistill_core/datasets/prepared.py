"""The sets a student is trained and measured on, each through the same model input as at inference."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import kdistill_core.phantom
from kdistill_core.datasets.cache import PixelCache, Report, build_cache
from kdistill_core.datasets.contract import LabeledImage
from kdistill_core.imaging import read_radiograph
from kdistill_core.imaging.model_input import preprocessing_sha256, to_model_input
from kdistill_core.phantom import simulate
from kdistill_core.records import Patient, Study

PHANTOM = "phantom"


def prepare_phantoms(
    root: Path,
    seeds: Sequence[int],
    side: int,
    size: int,
    split: str,
    *,
    workers: int = 1,
    report: Report | None = None,
) -> PixelCache:
    """Return the phantoms of ``seeds``, simulated at ``side`` pixels, as model inputs of ``size`` pixels.

    The studies hold the phantoms' truth (never their reports); every phantom is a patient of its own.
    """
    identity = {
        "name": f"{PHANTOM}-{split}",
        "simulator": _source_sha256(),
        "side": side,
        "preprocessing": preprocessing_sha256(size),
    }
    prepare = partial(_phantom, side=side, size=size, split=split)
    return build_cache(root, identity, list(seeds), prepare, size, workers, report)


def prepare_images(
    root: Path,
    name: str,
    images: Sequence[LabeledImage],
    size: int,
    *,
    workers: int = 1,
    report: Report | None = None,
) -> PixelCache:
    """Return the images of a data set as model inputs of ``size`` pixels."""
    identity = {"name": name, "preprocessing": preprocessing_sha256(size)}
    return build_cache(root, identity, list(images), partial(_image, size=size), size, workers, report)


def _phantom(seed: int, *, side: int, size: int, split: str) -> tuple[NDArray[np.float32], Study]:
    case = simulate(seed, side, side)
    name = f"{PHANTOM}-{seed}"
    study = Study(id=name, patient=Patient(id=name), findings=case.findings, split=split)
    return to_model_input(case.radiograph, size).pixels, study


def _image(image: LabeledImage, *, size: int) -> tuple[NDArray[np.float32], Study]:
    return to_model_input(read_radiograph(image.source), size).pixels, image.study


def _source_sha256() -> str:
    """Return the hash of the simulator's source: a changed simulator makes other images of the same seed."""
    digest = hashlib.sha256()
    for path in sorted(Path(kdistill_core.phantom.__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
