"""An exported student says what its source says, in half the bytes, and its encoder runs without torch."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from kdistill_core.student import StudentConfig, StudentError, StudentModel
from kdistill_core.student import export as exporting
from kdistill_core.student.adapters import LoraSettings, add_lora
from kdistill_core.student.export import Encoder, export_encoder, export_student
from kdistill_core.student.loading import load_student, weights_sha256
from kdistill_core.student.tiny import save_tiny_student, tiny_student

IMAGES = torch.randn(3, 1, 32, 32, generator=torch.Generator().manual_seed(1))


def test_half_the_bytes_say_the_same_within_half_precision(tmp_path: Path) -> None:
    source = save_tiny_student(tmp_path / "source", image_size=32)
    whole = export_student(source, tmp_path / "whole")
    half = export_student(source, tmp_path / "half", half=True)
    assert half.megabytes < 0.6 * whole.megabytes
    first, exact, rounded = (load_student(folder)[0] for folder in (source, whole.folder, half.folder))
    logits = [model.encode(IMAGES).condition_logits for model in (first, exact, rounded)]
    assert torch.equal(logits[0], logits[1])
    torch.testing.assert_close(logits[0], logits[2], atol=2e-2, rtol=2e-2)
    assert load_student(half.folder, torch.float16)[0].dtype == torch.float16


def test_adapters_are_merged(tmp_path: Path) -> None:
    model, processor = tiny_student(image_size=32)
    add_lora(model, LoraSettings(rank=2, dropout=0.0))
    with torch.no_grad():
        model.language_model.model.layers[0].mlp.up_proj.lora_B["default"].weight.normal_()
    model.save_pretrained(tmp_path / "source")
    processor.save_pretrained(tmp_path / "source")
    exported = export_student(tmp_path / "source", tmp_path / "out")
    again, _ = load_student(exported.folder)
    assert exported.merged
    assert again.config.lora is None
    assert not [name for name in again.state_dict() if "lora" in name]
    ids = torch.tensor([[5, 6, 7]] * 3)
    both = [student(pixel_values=IMAGES, input_ids=ids).logits for student in (model, again)]
    torch.testing.assert_close(*both, atol=1e-5, rtol=1e-4)


def test_the_card_says_what_it_is_and_where_from(tmp_path: Path) -> None:
    source = save_tiny_student(tmp_path / "source", image_size=32)
    (source / "README.md").write_text("---\nlicense: mit\n---\n# Source\n\nIts scores.\n")
    exported = export_student(source, tmp_path / "out", half=True)
    card = (exported.folder / "README.md").read_text(encoding="utf-8")
    assert weights_sha256(source) in card
    assert weights_sha256(exported.folder) in card
    assert "Research software, not a medical device" in card
    assert "float16" in card
    assert json.loads(card.split("```json\n")[1].split("```")[0])["image_size"] == 32
    assert card.rstrip().endswith("Its scores.")
    assert "license: mit" not in card


def test_the_encoder_says_in_onnx_what_it_says_in_torch(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="the packages of kdistill[export] are not installed")
    pytest.importorskip("onnxscript", reason="the packages of kdistill[export] are not installed")
    model, _ = tiny_student(image_size=32)
    model.config.calibration_slope = [2.0] * 14
    level = logging.getLogger("torch.onnx").level
    export_encoder(model, tmp_path / "encoder.onnx")
    assert logging.getLogger("torch.onnx").level == level
    session = onnxruntime.InferenceSession(tmp_path / "encoder.onnx", providers=["CPUExecutionProvider"])
    for count in (1, 3):
        found = session.run(None, {"pixel_values": IMAGES[:count].numpy()})
        with torch.no_grad():
            expected = Encoder(model)(IMAGES[:count])
        assert [output.name for output in session.get_outputs()] == list(exporting.OUTPUTS)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other.numpy(), atol=1e-4)


def test_a_student_of_several_views_shows_onnx_its_frontal() -> None:
    model = StudentModel(StudentConfig(**{**tiny_student(image_size=32)[0].config.to_dict(), "views": 3})).eval()
    with torch.no_grad():
        assert torch.equal(Encoder(model)(IMAGES)[0], model.encode(IMAGES).condition_logits)


def test_without_the_packages_onnx_is_refused_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "_NEEDED", ("no_such_package",))
    with pytest.raises(StudentError, match="no_such_package must be installed") as refusal:
        export_student(tmp_path / "never looked at", tmp_path / "out", onnx=True)
    assert "kdistill[export]" in refusal.value.advice


def test_an_export_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = save_tiny_student(tmp_path / "source", image_size=32)

    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporting, "_card", full)
    with pytest.raises(OSError, match="No space left"):
        export_student(source, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]
    with pytest.raises(StudentError, match="there already"):
        export_student(source, source)


def test_weights_beyond_half_precision_are_refused(tmp_path: Path) -> None:
    model, processor = tiny_student(image_size=32)
    with torch.no_grad():
        model.condition_queries.bias[3] = 70_000.0
    model.save_pretrained(tmp_path / "source")
    processor.save_pretrained(tmp_path / "source")
    with pytest.raises(StudentError, match=r"condition_queries\.bias are too large for half precision"):
        export_student(tmp_path / "source", tmp_path / "out", half=True)
