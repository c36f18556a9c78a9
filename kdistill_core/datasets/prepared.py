"""The sets a student is trained and measured on, each through the same model input as at inference."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kdistill_core.datasets.cache import PixelCache, Report, build_cache
from kdistill_core.imaging import read_radiograph
from kdistill_core.imaging.model_input import preprocessing_sha256, to_model_input
from kdistill_core.phantom import simulate
from kdistill_core.records import Patient, Study
from kdistill_core.serialization import to_json

PHANTOM = "phantom"
_PROBES = range(12)
_PROBE_SIDE, _PROBE_GRID = 96, 8


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
    identity: dict[str, str | int] = {
        "name": f"{PHANTOM}-{split}",
        "simulator": _simulator_sha256(),
        "side": side,
        "preprocessing": preprocessing_sha256(size),
    }
    prepare = partial(_phantom, side=side, size=size, split=split)
    return build_cache(root, identity, list(seeds), prepare, size, workers, report)


def prepare_images(
    root: Path,
    name: str,
    studies: Sequence[Study],
    size: int,
    *,
    workers: int = 1,
    report: Report | None = None,
) -> PixelCache:
    """Return studies of one image each as model inputs of ``size`` pixels."""
    identity = {"name": name, "preprocessing": preprocessing_sha256(size)}
    return build_cache(root, identity, list(studies), partial(_image, size=size), size, workers, report)


def _phantom(seed: int, *, side: int, size: int, split: str) -> tuple[NDArray[np.float32], Study]:
    case = simulate(seed, side, side)
    name = f"{PHANTOM}-{seed}"
    study = Study(id=name, patient=Patient(id=name), findings=case.findings, split=split)
    return to_model_input(case.radiograph, size).pixels, study


def _image(study: Study, *, size: int) -> tuple[NDArray[np.float32], Study]:
    return to_model_input(read_radiograph(study.images[0].source), size).pixels, study


def _simulator_sha256() -> str:
    """Return the hash of what the simulator makes of a few seeds.

    A simulator that makes other images gets another cache; one that was only made faster or tidier keeps its own.
    """
    digest = hashlib.sha256()
    for seed in _PROBES:
        case = simulate(seed, _PROBE_SIDE, _PROBE_SIDE)
        pixels = to_model_input(case.radiograph, _PROBE_SIDE).pixels
        # Coarse on purpose: the last bits depend on the processor and its libraries.
        coarse = pixels.reshape(_PROBE_GRID, -1, _PROBE_GRID, _PROBE_SIDE // _PROBE_GRID).mean((1, 3))
        digest.update(np.round(coarse * 64).astype(np.uint8).tobytes())
        digest.update(to_json(case.findings))
    return digest.hexdigest()
