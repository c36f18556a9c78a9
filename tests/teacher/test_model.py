"""The language model behind the teacher: its prompts, its hash, its adapter, and folders that hold none."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from kdistill_core.teacher.errors import TeacherModelError
from kdistill_core.teacher.model import TeacherModel
from kdistill_core.teacher.prompts import Message


@pytest.fixture(scope="module")
def model(tiny_folder: Path) -> TeacherModel:
    return TeacherModel.load(tiny_folder)


def test_the_chat_template_makes_the_prompt(model: TeacherModel) -> None:
    messages = [Message("system", "Be brief."), Message("user", "What is edema?")]
    assert model.prompt(messages) == "<system>Be brief.\n<user>What is edema?\n<assistant>"


def test_a_base_model_gets_a_plain_dialog(tiny_folder: Path) -> None:
    model = TeacherModel.load(tiny_folder)
    model.tokenizer.chat_template = None
    assert model.prompt([Message("user", "What is edema?")]) == "What is edema?\n"


def test_the_hash_is_that_of_the_weight_file(model: TeacherModel, tiny_folder: Path) -> None:
    assert model.sha256 == hashlib.sha256((tiny_folder / "model.safetensors").read_bytes()).hexdigest()


def test_the_mean_hidden_state_is_the_mean_over_tokens(model: TeacherModel) -> None:
    tokens = model.tokenizer("two words", return_tensors="pt", add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        last = model.model.model(input_ids=tokens).last_hidden_state[0]
    np.testing.assert_allclose(model.mean_hidden_state("two words"), last.mean(dim=0).numpy(), rtol=1e-5)


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(TeacherModelError, match="safetensors"):
        TeacherModel.load(tmp_path)


def test_a_folder_without_a_tokenizer_is_named(tiny_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "no-tokenizer")
    for path in folder.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(TeacherModelError, match="no-tokenizer"):
        TeacherModel.load(folder)


def test_damaged_weights_are_named(tiny_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "cut")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(TeacherModelError, match="cut"):
        TeacherModel.load(folder)


def test_an_adapter_is_added_into_the_weights(tiny_folder: Path, tiny_adapter: Path) -> None:
    from peft import PeftModel

    plain, adapted = TeacherModel.load(tiny_folder), TeacherModel.load(tiny_folder, adapter=tiny_adapter)
    tokens = torch.tensor([[5, 6, 7]])
    beside = PeftModel.from_pretrained(TeacherModel.load(tiny_folder).model, str(tiny_adapter)).eval()
    with torch.inference_mode():
        expected, found, base = (m(input_ids=tokens).logits for m in (beside, adapted.model, plain.model))
    torch.testing.assert_close(found, expected)
    assert not torch.allclose(found, base)
    assert adapted.sha256 != plain.sha256
    assert adapted.name == f"{tiny_folder.name} + {tiny_adapter.name}"


def test_an_adapter_folder_finds_its_own_model(tiny_folder: Path, tiny_adapter: Path) -> None:
    assert TeacherModel.load(tiny_adapter).sha256 == TeacherModel.load(tiny_folder, adapter=tiny_adapter).sha256


def test_an_adapter_whose_model_is_not_here_says_so(tiny_adapter: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_adapter, tmp_path / "lost")
    config = folder / "adapter_config.json"
    config.write_text(config.read_text().replace('"base_model_name_or_path": "', '"base_model_name_or_path": "/gone'))
    with pytest.raises(TeacherModelError, match="which is not a folder here"):
        TeacherModel.load(folder)


def test_a_pickled_adapter_is_not_read(tiny_folder: Path, tiny_adapter: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_adapter, tmp_path / "pickled")
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    with pytest.raises(TeacherModelError, match=r"no adapter_model\.safetensors"):
        TeacherModel.load(tiny_folder, adapter=folder)
