"""Prepared images: made once, in order, and gone on with after an interruption."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kdistill_core.datasets.cache import CHUNK, build_cache
from kdistill_core.datasets.prepared import prepare_images, prepare_phantoms
from kdistill_core.imaging import read_radiograph
from kdistill_core.imaging.model_input import to_model_input
from kdistill_core.phantom import simulate
from kdistill_core.records import ImageSource, Patient, Study, StudyImage


def gray(item: int) -> tuple[np.ndarray, Study]:
    """Return an image of the brightness item / 255; module level, so that a worker process can find it."""
    return np.full((4, 4), item / 255, dtype=np.float32), Study(id=f"case-{item}", patient=Patient(id=str(item)))


def fail(item: int) -> tuple[np.ndarray, Study]:
    raise AssertionError("prepared again")


def test_images_come_in_order_and_are_not_made_twice(tmp_path: Path) -> None:
    items = list(range(CHUNK + 3))
    reports: list[tuple[int, int]] = []
    first = build_cache(tmp_path, {"name": "gray"}, items, gray, 4, report=lambda *done: reports.append(done))
    assert first.pixels[:, 0, 0].tolist() == items
    assert [study.id for study in first.studies] == [f"case-{item}" for item in items]
    assert reports[-1] == (len(items), len(items))
    again = build_cache(tmp_path, {"name": "gray"}, items, fail, 4)
    assert again.studies == first.studies


def test_an_interrupted_run_makes_only_what_is_missing(tmp_path: Path) -> None:
    items = list(range(2 * CHUNK))
    build_cache(tmp_path, {"name": "gray"}, items, gray, 4)
    (lost,) = tmp_path.glob(f"*/studies-{CHUNK:07d}.jsonl")
    lost.unlink()
    with pytest.raises(AssertionError, match="prepared again"):
        build_cache(tmp_path, {"name": "gray"}, items, fail, 4)
    assert build_cache(tmp_path, {"name": "gray"}, items, gray, 4).pixels[:, 0, 0].tolist() == items


def test_another_identity_makes_another_cache(tmp_path: Path) -> None:
    for version in (1, 2):
        build_cache(tmp_path, {"name": "gray", "version": version}, [1, 2], gray, 4)
    assert len(list(tmp_path.iterdir())) == 2


def test_phantoms_are_the_simulators_with_their_truth_and_without_their_reports(tmp_path: Path) -> None:
    cache = prepare_phantoms(tmp_path, [5, 6], side=64, size=32, split="test")
    for index, seed in enumerate((5, 6)):
        case = simulate(seed, 64, 64)
        expected = to_model_input(case.radiograph, 32).pixels
        assert np.abs(cache.pixels[index] / 255 - expected).max() <= 0.5 / 255 + 1e-6
        assert cache.studies[index].findings == case.findings
        assert cache.studies[index].report is None


@pytest.mark.real_data
def test_real_images_go_through_the_model_input(shared_data: Path, tmp_path: Path) -> None:
    path = sorted((shared_data / "images" / "nih" / "512").glob("*.jpg"))[0]
    study = Study(id="one", images=(StudyImage("one", ImageSource(str(path))),))
    cache = prepare_images(tmp_path, "nih-test", [study], 96)
    expected = to_model_input(read_radiograph(path), 96).pixels
    assert np.abs(cache.pixels[0] / 255 - expected).max() <= 0.5 / 255 + 1e-6
    assert cache.studies == (study,)
