"""Radiographs and texts to the student's inputs, and generated ids back to text."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoProcessor

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.imaging.model_input import preprocessing_sha256, to_model_input
from kdistill_core.records import Finding, ImageSource, Radiograph, Side
from kdistill_core.student import StudentError, StudentProcessor
from kdistill_core.student.decisions import findings, most_specific
from kdistill_core.student.loading import load_student, weights_sha256
from kdistill_core.student.tiny import save_tiny_student, tiny_student
from kdistill_core.student.tokenizer import train_tokenizer


@pytest.fixture(name="processor", scope="module")
def make_processor() -> StudentProcessor:
    return tiny_student()[1]


@pytest.fixture(name="folder", scope="module")
def make_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_student(tmp_path_factory.mktemp("tiny"))


def test_a_radiograph_goes_through_the_shared_model_input(processor: StudentProcessor) -> None:
    pixels = np.random.default_rng(0).random((90, 70)).astype(np.float32)
    radiograph = Radiograph(pixels, ImageSource("x.png"), sha256="")
    values = processor(radiographs=radiograph)["pixel_values"]
    assert values.shape == (1, 1, 64, 64)
    expected = to_model_input(radiograph, 64).pixels
    assert np.allclose(values[0, 0].numpy() * processor.pixel_std + processor.pixel_mean, expected, atol=1e-6)
    assert processor.preprocessing_sha256 == preprocessing_sha256(64)


def test_targets_open_close_and_are_masked_where_padded(processor: StudentProcessor) -> None:
    batch = processor.targets(["There is edema.", "There"], max_length=64)
    tokenizer = processor.tokenizer
    assert (batch["input_ids"][:, 0] == tokenizer.bos_token_id).all()
    assert batch["labels"][0, -1] == tokenizer.eos_token_id
    assert (batch["labels"][1] == -100).sum() == (batch["attention_mask"][1] == 0).sum() > 0


def test_targets_that_are_too_long_are_cut_and_left_open(processor: StudentProcessor) -> None:
    batch = processor.targets(["There is pleural effusion. " * 20], max_length=10)
    assert batch["input_ids"].shape == (1, 10)
    assert processor.tokenizer.eos_token_id not in batch["input_ids"]


def test_the_processor_survives_saving(folder: Path) -> None:
    again = AutoProcessor.from_pretrained(folder)
    assert isinstance(again, StudentProcessor)
    assert (again.image_size, again.pixel_mean, again.pixel_std) == (64, 0.5, 0.25)
    assert again(text="Edema")["input_ids"].tolist() == tiny_student()[1](text="Edema")["input_ids"].tolist()


@pytest.mark.parametrize("text", ["No abnormality is seen.", "naïve – 37 °C 🙂", "  two  blanks\nand a line"])
def test_the_tokenizer_gives_every_text_back(text: str) -> None:
    tokenizer = train_tokenizer(["No abnormality is seen.", "There is edema."], 280)
    assert len(tokenizer) <= 280
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text


def test_findings_follow_calibration_threshold_and_hierarchy() -> None:
    model = tiny_student()[0]
    model.config.thresholds = [0.3] * 14
    logits = torch.full((14,), -5.0)
    logits[CONDITIONS.index(Condition.CARDIOMEGALY)] = -0.5  # probability 0.38
    found = {finding.condition: finding for finding in findings(model, logits)}
    assert list(found) == list(CONDITIONS)
    assert found[Condition.CARDIOMEGALY].state is State.POSITIVE
    assert found[Condition.CARDIOMEGALY].probability == pytest.approx(1 / (1 + np.exp(0.5)))
    assert found[Condition.CARDIOMEGALY].threshold == 0.3
    assert found[Condition.ENLARGED_CARDIOMEDIASTINUM].state is State.POSITIVE
    assert found[Condition.NO_FINDING].state is State.NEGATIVE
    assert [finding.condition for finding in most_specific(tuple(found.values()))] == [Condition.CARDIOMEGALY]


def test_the_most_specific_findings_keep_what_is_known_of_them() -> None:
    effusion = Finding(Condition.PLEURAL_EFFUSION, State.POSITIVE, side=Side.LEFT)
    normal = Finding(Condition.NO_FINDING, State.POSITIVE)
    assert most_specific([effusion, Finding(Condition.EDEMA, State.UNCERTAIN)]) == (effusion,)
    assert most_specific([normal]) == ()


def test_a_checkpoint_loads_from_its_folder(folder: Path) -> None:
    model, processor = load_student(folder)
    assert not model.training
    assert processor.image_size == model.config.image_size
    assert len(weights_sha256(folder)) == 64


@pytest.fixture(name="copy")
def make_copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "student"))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json", "processor_config.json"])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(StudentError, match=name.replace(".", r"\.")):
        load_student(copy)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json", "processor_config.json"])
def test_a_truncated_file_is_told_in_one_line(copy: Path, name: str) -> None:
    (copy / name).write_bytes((copy / name).read_bytes()[:50])
    with pytest.raises(StudentError) as caught:
        load_student(copy)
    assert "\n" not in str(caught.value)
    assert str(copy) in caught.value.problem
    assert caught.value.advice


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_weights_of_another_shape_are_refused(copy: Path) -> None:
    change(copy / "config.json", feature_size=48)
    with pytest.raises(StudentError, match="do not fit"):
        load_student(copy)


def test_a_model_of_another_type_is_refused(copy: Path) -> None:
    change(copy / "config.json", model_type="llama")
    with pytest.raises(StudentError, match="not a student"):
        load_student(copy)


def test_a_processor_of_another_size_is_refused(copy: Path) -> None:
    change(copy / "processor_config.json", image_size=128)
    with pytest.raises(StudentError, match="128 pixels"):
        load_student(copy)


def test_no_folder_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudentError, match="no model folder"):
        load_student(tmp_path / "nowhere")
