"""Real processes that are killed while they build a cache, and that build one cache at once."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from kdistill_core.datasets import DatasetError
from kdistill_core.datasets.cache import gather
from kdistill_core.datasets.pixel_store import PixelStore, verify_stores
from tests.datasets.cache_builder import ABOUT, Square, build

SCRIPT = Path(__file__).with_name("cache_builder.py")
PROJECT = SCRIPT.parents[2]
COUNT = 60


def start(root: Path, count: int, workers: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPT), str(root), str(count), str(workers)]
    return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def calls(root: Path) -> Counter[str]:
    path = root / "calls"
    return Counter(path.read_text().split()) if path.exists() else Counter()


def wait_for_calls(root: Path, count: int) -> None:
    until = time.monotonic() + 60
    while calls(root).total() < count:
        assert time.monotonic() < until
        time.sleep(0.005)


def brightness_of(root: Path, count: int) -> list[int]:
    gathered = build(root, count)
    return [int(gathered.pixels[number][0, 0]) for number in range(count)]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_build_loses_at_most_the_image_in_work_of_each_worker(tmp_path: Path, workers: int) -> None:
    building = start(tmp_path, COUNT, workers)
    wait_for_calls(tmp_path, 9)
    building.send_signal(signal.SIGKILL)
    building.communicate()
    time.sleep(0.3)  # its workers notice that it is gone
    before = calls(tmp_path)
    assert before.total() < COUNT
    time.sleep(3 * 0.02)
    assert calls(tmp_path) == before  # nobody prepares on behalf of the dead
    assert brightness_of(tmp_path, COUNT) == list(range(20, 20 + COUNT))
    after = calls(tmp_path)
    twice = [name for name, times in after.items() if times > 1]
    assert len(after) == COUNT
    assert len(twice) <= workers
    assert max(after.values()) <= 2


def test_processes_building_at_once_make_one_good_cache(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    others = [start(tmp_path, COUNT, 2), start(tmp_path, COUNT, 1)]
    wait_for_calls(tmp_path, 3)
    expected = list(range(20, 20 + COUNT))
    assert brightness_of(tmp_path, COUNT) == expected
    assert "Another process is preparing images" in caplog.text
    said = [process.communicate(timeout=120) for process in others]
    assert [process.returncode for process in others] == [0, 0], said
    assert [output.strip() for output, _ in said] == [str(expected)] * 2
    assert calls(tmp_path) == Counter(map(str, expected))  # each was prepared once
    (check,) = verify_stores(tmp_path / "cache")
    assert (check.images, check.damaged) == (COUNT, ())


def test_a_decoder_that_takes_its_process_down_costs_its_image_alone(tmp_path: Path) -> None:
    gathered = build(tmp_path, 6, workers=2, first=11)  # 11 to 16, with 13 among them
    assert [int(gathered.pixels[number][0, 0]) for number in range(5)] == [11, 12, 14, 15, 16]
    assert list(gathered.refusals) == [2]
    assert "died" in gathered.refusals[2]
    assert [found is None for found in gathered.findings] == [False, False, True, False, False, False]


def test_whatever_a_kill_leaves_of_the_files_is_completed(tmp_path: Path) -> None:
    build(tmp_path, 4)
    store = PixelStore(tmp_path / "cache", ABOUT)
    pixels, index = store.pixel_file.read_bytes(), store.index_file.read_bytes()
    third = index.index(b"\n", index.index(b"\n") + 1) + 1
    for kept_pixels in (70, 2 * 64, 3 * 64 - 1):  # of four images of 64 bytes
        for kept_index in (5, third - 1, third, third + 9):
            store.pixel_file.write_bytes(pixels[:kept_pixels])
            store.index_file.write_bytes(index[:kept_index])
            (store.folder / "unfinished").touch()
            assert brightness_of(tmp_path, 4) == [20, 21, 22, 23], (kept_pixels, kept_index)
            assert not (store.folder / "unfinished").exists()


def test_a_full_disk_is_told_and_what_is_there_is_kept(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    build(tmp_path, 2)
    try:
        # The system refuses to let the pixel file grow, in the middle of the fourth image.
        resource.setrlimit(resource.RLIMIT_FSIZE, (3 * 64 + 20, hard))
        with pytest.raises(DatasetError, match=r"cannot be written to .*prepared-8px"):
            build(tmp_path, 6)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert brightness_of(tmp_path, 6) == list(range(20, 26))
    assert calls(tmp_path)["22"] == 1


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(DatasetError, match="cannot be written"):
        build(tmp_path, 1)


def test_a_whole_cache_is_read_where_nothing_may_be_written(tmp_path: Path) -> None:
    build(tmp_path, 3)
    store = PixelStore(tmp_path / "cache", ABOUT)
    (store.folder / "lock").unlink()
    for path in (*store.folder.iterdir(), store.folder):
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        assert brightness_of(tmp_path, 3) == [20, 21, 22]
        assert not (store.folder / "lock").exists()  # reading takes no lock, which would have to be written
    finally:
        store.folder.chmod(0o755)


def test_a_whole_cache_is_read_while_another_process_adds_to_it(tmp_path: Path) -> None:
    build(tmp_path, 3)
    with PixelStore(tmp_path / "cache", ABOUT).writing() as writer:
        writer.add("another", np.zeros((8, 8), dtype=np.uint8))
        assert brightness_of(tmp_path, 3) == [20, 21, 22]
    assert calls(tmp_path).total() == 3


def test_a_pixel_file_that_was_cut_off_is_told_and_completed(tmp_path: Path) -> None:
    build(tmp_path, 3)
    pixel_file = PixelStore(tmp_path / "cache", ABOUT).pixel_file
    pixel_file.write_bytes(pixel_file.read_bytes()[: 2 * 64 + 9])
    with pytest.raises(DatasetError, match=r"shorter than its index.*kdistill data cache"):
        build(tmp_path, 3)
    (check,) = verify_stores(tmp_path / "cache")
    assert check.damaged == ("square:22",)
    assert brightness_of(tmp_path, 3) == [20, 21, 22]
    assert calls(tmp_path) == Counter({"20": 1, "21": 1, "22": 2})


def test_nothing_prepared_at_all_is_an_error_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"None of the 1 images could be prepared.* died"):
        gather(tmp_path / "cache", ABOUT, [Square(13, str(tmp_path / "calls"))], workers=2)


def test_progress_counts_what_was_there_already(tmp_path: Path) -> None:
    build(tmp_path, 2)
    reports: list[tuple[int, int]] = []
    squares = [Square(20 + number, str(tmp_path / "calls")) for number in range(4)]
    gather(tmp_path / "cache", ABOUT, squares, report=lambda *done: reports.append(done))
    assert reports == [(3, 4), (4, 4)]


def test_a_place_holds_an_image_of_the_stores_size_only(tmp_path: Path) -> None:
    store = PixelStore(tmp_path, ABOUT)
    with store.writing() as writer, pytest.raises(ValueError, match="not an image of this store"):
        writer.add("wrong", np.zeros((8, 9), dtype=np.uint8))
