"""A student run over images: what fails is named, what was done is kept, and batches change nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from kdistill_core.errors import Canceled
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.predictions import Origin
from kdistill_core.evaluation.running import PlacedStudent, RunSettings, place_student, run_student
from kdistill_core.imaging.display import default_window, render
from kdistill_core.phantom import simulate
from kdistill_core.records import ImageSource, StudyImage
from kdistill_core.student.tiny import save_tiny_student

SETTINGS = RunSettings(batch_size=2, longest_text=8)


@pytest.fixture(scope="module")
def student(tmp_path_factory) -> PlacedStudent:
    return place_student(save_tiny_student(tmp_path_factory.mktemp("model") / "tiny"), torch.device("cpu"))


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> tuple[StudyImage, ...]:
    folder = tmp_path_factory.mktemp("someones-name")
    found = []
    for seed in range(5):
        radiograph = simulate(seed, 96, 96).radiograph
        path = folder / f"{seed}.png"
        Image.fromarray(render(radiograph, default_window(radiograph))).save(path)
        found.append(StudyImage(f"image {seed}", ImageSource(str(path))))
    return tuple(found)


def test_batches_of_any_size_say_the_same(student, images, tmp_path):
    one, none = run_student(student, images, Origin(), tmp_path / "a", RunSettings(1, longest_text=8))
    all_at_once, _ = run_student(student, images, Origin(), tmp_path / "b", RunSettings(8, longest_text=8))
    assert none == ()
    assert one.ids == all_at_once.ids == tuple(image.id for image in images)
    assert one.reports == all_at_once.reports
    assert one.probabilities is not None
    assert all_at_once.probabilities is not None
    assert one.probabilities.values == pytest.approx(all_at_once.probabilities.values, abs=1e-6)


def test_a_canceled_run_goes_on_behind_what_it_has_done(student, images, tmp_path):
    whole, _ = run_student(student, images, Origin(), tmp_path / "whole", SETTINGS)
    calls = iter(range(10))

    def cancel_before_the_third_batch() -> None:
        if next(calls) == 2:
            raise Canceled

    with pytest.raises(Canceled):
        run_student(student, images, Origin(), tmp_path, SETTINGS, check=cancel_before_the_third_batch)
    (log,) = tmp_path.glob("said-*.jsonl")
    # A kill in the middle of a line.
    log.write_bytes(log.read_bytes() + b'{"id": "image 4", "probab')
    steps: list[tuple[int, int]] = []
    resumed, _ = run_student(
        student, images, Origin(), tmp_path, SETTINGS, on_progress=lambda done, total: steps.append((done, total))
    )
    assert steps == [(4, 5), (5, 5)]
    assert resumed.reports == whole.reports
    assert resumed.probabilities is not None
    assert whole.probabilities is not None
    assert (resumed.probabilities.values == whole.probabilities.values).all()
    assert len(log.read_bytes().splitlines()) == 5


def test_another_student_does_not_go_on_from_the_log(student, images, tmp_path):
    run_student(student, images[:2], Origin(), tmp_path, SETTINGS)
    other = place_student(save_tiny_student(tmp_path / "other", seed=1), torch.device("cpu"))
    steps: list[int] = []
    run_student(other, images[:2], Origin(), tmp_path, SETTINGS, on_progress=lambda done, _: steps.append(done))
    assert steps == [0, 2]
    assert len(list(tmp_path.glob("said-*.jsonl"))) == 2


def test_an_image_that_cannot_be_read_costs_itself_alone_and_names_no_folder(student, images, tmp_path):
    damaged = tmp_path / "patient-name" / "damaged.png"
    damaged.parent.mkdir()
    damaged.write_bytes(Path(images[0].source.path).read_bytes()[:200])
    mixed = (images[0], StudyImage("bad", ImageSource(str(damaged))), images[1])
    said, failures = run_student(student, mixed, Origin(), tmp_path, SETTINGS)
    assert said.ids == ("image 0", "image 1")
    (failure,) = failures
    assert failure.id == "bad"
    assert "damaged.png" in failure.reason
    assert "patient-name" not in failure.reason
    with pytest.raises(EvaluationError, match=r"None of the 1 images could be read.*damaged\.png"):
        run_student(student, mixed[1:2], Origin(), tmp_path, SETTINGS)
