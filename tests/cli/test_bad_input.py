"""Each thing that can be wrong with what a user brings has its own clear line, and never a traceback."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

Make = Callable[[Path, Path], Path]


def changed(chest: Path, folder: Path, change: Callable[[pydicom.Dataset], None]) -> Path:
    dataset = pydicom.dcmread(chest)
    change(dataset)
    path = folder / "changed.dcm"
    dataset.save_as(path)
    return path


def truncated_pixel_data(chest: Path, folder: Path) -> Path:
    path = folder / "truncated.dcm"
    path.write_bytes(chest.read_bytes()[:-9000])
    return path


def too_little_pixel_data(chest: Path, folder: Path) -> Path:
    return changed(chest, folder, lambda d: setattr(d, "PixelData", d.PixelData[:5000]))


def no_rows(chest: Path, folder: Path) -> Path:
    return changed(chest, folder, lambda d: delattr(d, "Rows"))


def no_photometric_interpretation(chest: Path, folder: Path) -> Path:
    return changed(chest, folder, lambda d: delattr(d, "PhotometricInterpretation"))


def one_pixel(chest: Path, folder: Path) -> Path:
    def shrink(dataset: pydicom.Dataset) -> None:
        dataset.Rows = dataset.Columns = 1
        dataset.PixelData = b"\1\0"

    return changed(chest, folder, shrink)


def decompression_bomb(chest: Path, folder: Path) -> Path:
    def inflate(dataset: pydicom.Dataset) -> None:
        dataset.Rows = dataset.Columns = 20_000
        dataset.PixelData = b"0123456789"

    return changed(chest, folder, inflate)


def zip_named_dicom(chest: Path, folder: Path) -> Path:
    path = folder / "archive.dcm"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(chest, "chest.dcm")
    return path


def electrocardiogram(_chest: Path, folder: Path) -> Path:
    return Path(shutil.copy(get_testdata_file("waveform_ecg.dcm", download=False), folder))


def ct_slice(_chest: Path, folder: Path) -> Path:
    return Path(shutil.copy(get_testdata_file("CT_small.dcm", download=False), folder))


def color_photograph(_chest: Path, folder: Path) -> Path:
    y, x = np.mgrid[0:300, 0:400]
    sky = np.stack([90 + x // 8, 140 + y // 4, 250 - y // 3], axis=-1).astype(np.uint8)
    path = folder / "holiday.jpg"
    Image.fromarray(sky).save(path)
    return path


def empty_file(_chest: Path, folder: Path) -> Path:
    path = folder / "empty.dcm"
    path.touch()
    return path


def empty_folder(_chest: Path, folder: Path) -> Path:
    path = folder / "nothing"
    path.mkdir()
    return path


# What each line has to say, in any letter case: all of the words.
CASES: dict[Make, tuple[str, tuple[str, ...]]] = {
    truncated_pixel_data: ("unreadable", ("pixel data",)),
    too_little_pixel_data: ("unreadable", ("pixel data",)),
    no_rows: ("unreadable", ("rows",)),
    no_photometric_interpretation: ("unreadable", ("photometric",)),
    one_pixel: ("unreadable", ("1 by 1", "too small")),
    decompression_bomb: ("unreadable", ("20,000 by 20,000",)),
    zip_named_dicom: ("unreadable", ("zip",)),
    electrocardiogram: ("unreadable", ("waveform",)),
    ct_slice: ("declined", ("ct slice", "not a radiograph")),
    color_photograph: ("unreadable", ("color picture", "not a radiograph")),
    empty_file: ("unreadable", ("empty",)),
    empty_folder: ("unreadable", ("no files",)),
}


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_a_bad_file_is_refused_in_one_clear_line(make, chest, student, kdistill, tmp_path):
    (tmp_path / "in").mkdir()
    path = make(chest, tmp_path / "in")
    result = kdistill("explain", path, "--out", tmp_path / "out", "--model", student)
    outcome, words = CASES[make]
    assert result.exit_code == 1
    (line,) = [line for line in result.stderr.splitlines() if line.startswith(str(path))]
    assert f": {outcome}: " in line
    for word in words:
        assert word in line.lower()
    assert not [entry for entry in (tmp_path / "out").iterdir() if entry.is_dir()]


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="permissions of this kind are Unix's")
def test_a_folder_without_permission_is_named(kdistill, tmp_path):
    kdistill("explain", tmp_path, "--out", tmp_path / "first")  # imports all that is needed while that is allowed
    place = Path(tempfile.mkdtemp())  # pytest's own folders are closed to others
    try:
        closed = place / "closed"
        closed.mkdir()
        place.chmod(0o777)
        closed.chmod(0)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)  # nobody: the administrator may open any folder
        try:
            result = kdistill("explain", closed, "--out", place / "out")
        finally:
            os.seteuid(user)
        closed.chmod(0o700)
    finally:
        shutil.rmtree(place)
    assert result.exit_code == 1
    (line,) = [line for line in result.stderr.splitlines() if line.startswith(str(closed))]
    assert "may not be opened" in line


def without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def without_configuration(folder: Path) -> None:
    (folder / "config.json").unlink()


def without_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def with_half_the_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def with_weights_of_another_shape(folder: Path) -> None:
    from safetensors.numpy import load_file, save_file

    path = folder / "model.safetensors"
    tensors = load_file(path)
    name = max(tensors, key=lambda name: tensors[name].size)
    tensors[name] = np.ascontiguousarray(tensors[name][:-1])
    save_file(tensors, path, metadata={"format": "pt"})


def of_another_kind(folder: Path) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_type": "bert"}))


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (without_weights, "model.safetensors"),
        (without_configuration, "config.json"),
        (without_tokenizer, "tokenizer.json"),
        (with_half_the_weights, "damaged"),
        (with_weights_of_another_shape, "do not fit"),
        (of_another_kind, "bert"),
    ],
)
def test_a_bad_model_folder_is_refused_by_the_file_at_fault(spoil, word, chest, student, kdistill, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(student, folder)
    spoil(folder)
    result = kdistill("explain", chest, "--out", tmp_path / "out", "--model", folder)
    assert result.exit_code == 1
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert word in errors[0]


def test_a_model_folder_that_is_not_there_is_named(chest, kdistill, tmp_path):
    result = kdistill("explain", chest, "--out", tmp_path / "out", "--model", tmp_path / "no-model")
    assert result.exit_code == 1
    assert "no-model" in result.stderr


def test_debug_shows_where_a_fault_came_from(chest, tmp_path):
    from typer.testing import CliRunner

    from kdistill_core.cli.main import app
    from kdistill_core.errors import KDistillError

    arguments = ["--debug", "explain", str(chest), "--out", str(tmp_path / "out"), "--model", str(tmp_path / "none")]
    assert isinstance(CliRunner().invoke(app, arguments).exception, KDistillError)
