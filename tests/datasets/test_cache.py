"""Prepared images: known by their content, verified by checksum, read without copies by any process."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kdistill_core.datasets import DatasetError, prepared
from kdistill_core.datasets.cache import PixelCache
from kdistill_core.datasets.pixel_store import verify_stores
from kdistill_core.datasets.prepared import prepare_images, prepare_phantoms
from kdistill_core.imaging import read_radiograph
from kdistill_core.imaging.model_input import to_model_input
from kdistill_core.phantom import simulate
from kdistill_core.records import ImageSource, Radiograph, Study, StudyImage

SIZE = 16


def study(path: Path, name: str = "") -> Study:
    return Study(name or path.stem, images=(StudyImage(path.stem, ImageSource(str(path))),))


def write_picture(path: Path, seed: int) -> Path:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (40, 32)).astype(np.uint8)).save(path)
    # As if it had been lying there: a file just written is read again, because its times do not tell changes yet.
    settle(path)
    return path


def settle(path: Path, seconds: float = 100.0) -> None:
    stamp = path.stat()
    os.utime(path, (stamp.st_atime - seconds, stamp.st_mtime - seconds))


def expected(path: Path) -> np.ndarray:
    return np.round(to_model_input(read_radiograph(path), SIZE).pixels * 255).astype(np.uint8)


@pytest.fixture(name="decoded")
def count_decoding(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were decoded, in order."""
    names: list[str] = []

    def read(source: ImageSource) -> Radiograph:
        names.append(Path(source.path).name)
        return read_radiograph(source)

    monkeypatch.setattr(prepared, "read_radiograph", read)
    # The times of change cannot be set back, so every file of a test would be too fresh to be remembered.
    monkeypatch.setattr(prepared, "_SETTLED_NS", 0)
    return names


@pytest.fixture(name="pictures")
def make_pictures(tmp_path: Path) -> list[Path]:
    return [write_picture(tmp_path / "images" / f"{name}.png", seed) for seed, name in enumerate("abc")]


def test_images_are_the_model_inputs_in_the_order_of_the_studies(
    tmp_path: Path, pictures: list[Path], decoded: list[str]
) -> None:
    studies = [study(path) for path in reversed(pictures)]
    cache = prepare_images(tmp_path / "cache", studies, SIZE)
    assert cache.studies == tuple(studies)
    assert len(cache) == len(cache.pixels) == 3
    for index, path in enumerate(reversed(pictures)):
        assert np.array_equal(cache.pixels[index], expected(path))
    assert np.array_equal(cache.pixels[1:], [expected(pictures[1]), expected(pictures[0])])
    decoded.clear()
    again = prepare_images(tmp_path / "cache", studies[::-1], SIZE)
    assert np.array_equal(again.pixels[0], expected(pictures[0]))
    assert decoded == []


def test_a_fine_image_with_less_detail_asked_for_is_as_the_same_image_that_came_coarse(
    tmp_path: Path, decoded: list[str]
) -> None:
    coarse, fine = tmp_path / "coarse.png", tmp_path / "fine.png"
    picture = Image.fromarray(np.random.default_rng(5).integers(0, 256, (64, 64)).astype(np.uint8))
    picture.save(fine)
    picture.resize((8, 8), Image.Resampling.LANCZOS).save(coarse)
    for path in (coarse, fine):
        settle(path)
    studies = [study(coarse), study(fine)]
    sharp = prepare_images(tmp_path / "cache", studies, SIZE).pixels[:]
    apart = np.corrcoef(sharp[0].ravel(), sharp[1].ravel())[0, 1]
    alike = prepare_images(tmp_path / "cache", studies, SIZE, detail=8).pixels[:]
    assert np.array_equal(alike[0], sharp[0]), "an image that is coarse already is left as it is"
    assert np.corrcoef(alike[0].ravel(), alike[1].ravel())[0, 1] > max(0.99, apart + 0.05)
    # Both are kept, each by its own name.
    decoded.clear()
    assert np.array_equal(prepare_images(tmp_path / "cache", studies, SIZE).pixels[:], sharp)
    assert np.array_equal(prepare_images(tmp_path / "cache", studies, SIZE, detail=8).pixels[:], alike)
    assert np.array_equal(prepare_images(tmp_path / "cache", studies, SIZE, detail=100).pixels[:], sharp)
    assert decoded == ["coarse.png", "fine.png"], "read once more for the detail not asked for before"


def test_an_image_that_moved_or_is_in_two_data_sets_is_not_prepared_again(
    tmp_path: Path, pictures: list[Path], decoded: list[str]
) -> None:
    prepare_images(tmp_path / "cache", [study(path) for path in pictures], SIZE)
    moved = pictures[0].rename(tmp_path / "elsewhere.png")
    copied = Path(shutil.copyfile(pictures[1], tmp_path / "copy.png"))
    decoded.clear()
    cache = prepare_images(tmp_path / "cache", [study(moved), study(copied), study(pictures[1])], SIZE)
    assert decoded == []
    assert np.array_equal(cache.pixels[0], expected(moved))
    assert np.array_equal(cache.pixels[1], cache.pixels[2])


def test_a_file_that_changed_is_prepared_again_even_with_its_size_and_time_restored(
    tmp_path: Path, pictures: list[Path], decoded: list[str]
) -> None:
    studies = [study(path) for path in pictures]
    prepare_images(tmp_path / "cache", studies, SIZE)
    before = pictures[1].stat()
    content = bytearray(pictures[2].read_bytes())
    content += bytes(before.st_size - len(content))
    pictures[1].write_bytes(content)
    os.utime(pictures[1], ns=(before.st_atime_ns, before.st_mtime_ns))
    decoded.clear()
    cache = prepare_images(tmp_path / "cache", studies, SIZE)
    assert np.array_equal(cache.pixels[1], cache.pixels[2])
    assert set(decoded) <= {pictures[1].name}


def test_a_file_just_written_is_not_known_by_its_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_picture(tmp_path / "images" / "new.png", 1)
    prepare_images(tmp_path / "cache", [study(path)], SIZE)
    asked = []
    monkeypatch.setattr(prepared, "sha256_of", lambda path: asked.append(path) or read_radiograph(path).sha256)
    prepare_images(tmp_path / "cache", [study(path)], SIZE)
    assert asked == [path]


def test_another_size_makes_another_store(tmp_path: Path, pictures: list[Path]) -> None:
    for size in (SIZE, 24):
        cache = prepare_images(tmp_path / "cache", [study(pictures[0])], size)
        assert cache.pixels[0].shape == (size, size)
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_flipped_bits_are_found_named_and_prepared_again(
    tmp_path: Path, pictures: list[Path], decoded: list[str]
) -> None:
    studies = [study(path) for path in pictures]
    whole = prepare_images(tmp_path / "cache", studies, SIZE).pixels[:]
    (check,) = verify_stores(tmp_path / "cache")
    assert (check.size, check.images, check.damaged) == (SIZE, 3, ())
    (pixel_file,) = tmp_path.glob("cache/*/pixels.u8")
    damaged = bytearray(pixel_file.read_bytes())
    damaged[SIZE * SIZE + 5] ^= 4
    pixel_file.write_bytes(damaged)
    (check,) = verify_stores(tmp_path / "cache")
    assert check.damaged == (str(pictures[1]),)
    assert check.images == 2
    decoded.clear()
    assert np.array_equal(prepare_images(tmp_path / "cache", studies, SIZE).pixels[:], whole)
    assert decoded == [pictures[1].name]
    (check,) = verify_stores(tmp_path / "cache")
    assert (check.images, check.damaged) == (3, ())


def test_a_garbled_line_of_the_index_costs_its_image_alone(
    tmp_path: Path, pictures: list[Path], decoded: list[str]
) -> None:
    studies = [study(path) for path in pictures]
    prepare_images(tmp_path / "cache", studies, SIZE)
    (index,) = tmp_path.glob("cache/*/index.log")
    lines = index.read_bytes().splitlines(keepends=True)
    assert b"image" in lines[0]
    lines[0] = lines[0].replace(b"image", b"imagf")
    index.write_bytes(b"".join(lines))
    decoded.clear()
    cache = prepare_images(tmp_path / "cache", studies, SIZE)
    assert decoded == [pictures[0].name]
    assert np.array_equal(cache.pixels[0], expected(pictures[0]))


def test_images_that_cannot_be_prepared_are_left_out_with_the_reason(tmp_path: Path, pictures: list[Path]) -> None:
    pictures[0].write_bytes(b"no picture")
    pictures[2].unlink()
    cache = prepare_images(tmp_path / "cache", [study(path) for path in pictures], SIZE)
    assert [kept.id for kept in cache.studies] == ["b"]
    assert np.array_equal(cache.pixels[0], expected(pictures[1]))
    assert [lost.id for lost in cache.left_out] == ["a", "c"]
    for lost, path in zip(cache.left_out, (pictures[0], pictures[2]), strict=True):
        assert path.name in lost.reason


def test_studies_of_several_images_are_refused(tmp_path: Path, pictures: list[Path]) -> None:
    both = Study("both", images=study(pictures[0]).images + study(pictures[1]).images)
    with pytest.raises(DatasetError, match="both has 2 images"):
        prepare_images(tmp_path / "cache", [both], SIZE)


def test_an_image_is_a_view_of_the_map_that_nobody_can_write(tmp_path: Path, pictures: list[Path]) -> None:
    pixels = prepare_images(tmp_path / "cache", [study(path) for path in pictures], SIZE).pixels
    assert np.shares_memory(pixels[0], pixels[0])
    with pytest.raises(ValueError, match="read-only"):
        pixels[0][0, 0] = 1


def test_pixels_go_to_another_process_as_a_map_of_the_same_file(tmp_path: Path, pictures: list[Path]) -> None:
    cache = prepare_images(tmp_path / "cache", [study(path) for path in pictures], SIZE)
    assert len(pickle.dumps(cache.pixels)) < SIZE * SIZE * 3  # the way there, not the pixels
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(brightness, (cache,)) == int(cache.pixels[2].sum())


def brightness(cache: PixelCache) -> int:
    return int(cache.pixels[2].sum())


def test_no_studies_make_an_empty_cache(tmp_path: Path) -> None:
    cache = prepare_images(tmp_path / "cache", [], SIZE)
    assert len(cache) == len(cache.pixels) == 0


def test_a_folder_without_prepared_images_cannot_be_verified(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no prepared images"):
        verify_stores(tmp_path)


def test_phantoms_are_the_simulators_with_their_truth_and_without_their_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = prepare_phantoms(tmp_path, [5, 6], side=64, size=32, split="test")
    for index, seed in enumerate((5, 6)):
        case = simulate(seed, 64, 64)
        expected = to_model_input(case.radiograph, 32).pixels
        assert np.abs(cache.pixels[index] / 255 - expected).max() <= 0.5 / 255 + 1e-6
        assert cache.studies[index].findings == case.findings
        assert cache.studies[index].report is None
    monkeypatch.setattr(prepared, "_pixels", None)  # called only for what is not there
    again = prepare_phantoms(tmp_path, [6, 5], side=64, size=32, split="train")
    assert again.studies[0].findings == cache.studies[1].findings
    assert [study.split for study in again.studies] == ["train", "train"]


@pytest.mark.real_data
def test_real_images_go_through_the_model_input(shared_data: Path, tmp_path: Path) -> None:
    path = sorted((shared_data / "images" / "nih" / "512").glob("*.jpg"))[0]
    cache = prepare_images(tmp_path, [study(path)], 96)
    expected = to_model_input(read_radiograph(path), 96).pixels
    assert np.abs(cache.pixels[0] / 255 - expected).max() <= 0.5 / 255 + 1e-6
    assert cache.studies == (study(path),)
