"""Model folders with something wrong: each fault has its own message, which names the file or folder."""

import json
import re
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from kdistill_core.engine.local import load_models
from kdistill_core.errors import KDistillError


@pytest.fixture
def folder(student_folder, tmp_path):
    copy = tmp_path / "student"
    shutil.copytree(student_folder, copy)
    return copy


def edit_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def absent(folder):
    shutil.rmtree(folder)


def without(name):
    return lambda folder: (folder / name).unlink()


def truncated(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def not_safetensors(folder):
    (folder / "model.safetensors").write_bytes(b"\xff" * 64)


def pickled_only(folder):
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")


def another_model(folder):
    edit_config(folder, model_type="llama")


def half_a_config(folder):
    (folder / "config.json").write_text("{")


def other_shapes(folder):
    path = folder / "model.safetensors"
    weights = load_file(path)
    weights["condition_queries.bias"] = torch.zeros(3)
    save_file(weights, path, metadata={"format": "pt"})


def fewer_weights(folder):
    path = folder / "model.safetensors"
    weights = load_file(path)
    del weights["condition_queries.bias"]
    save_file(weights, path, metadata={"format": "pt"})


FAULTS = {
    absent: r"no model folder .*student",
    without("config.json"): r"student lacks config\.json",
    without("model.safetensors"): r"student lacks model\.safetensors",
    without("tokenizer.json"): r"student lacks tokenizer\.json",
    truncated: r"model\.safetensors is damaged",
    not_safetensors: r"model\.safetensors is damaged",
    pickled_only: r"pickled file \(pytorch_model\.bin\)",
    another_model: r"student is of type 'llama'",
    half_a_config: r"config\.json is not a model configuration",
    other_shapes: r"student do not fit .*mismatched keys.*condition_queries\.bias",
    fewer_weights: r"student do not fit .*missing keys.*condition_queries\.bias",
}


@pytest.mark.parametrize(("spoil", "words"), FAULTS.items(), ids=lambda value: getattr(value, "__name__", None))
def test_each_fault_of_a_model_folder_has_its_own_message(folder, spoil, words):
    spoil(folder)
    with pytest.raises(KDistillError) as told:
        load_models(folder, device="cpu")
    assert re.search(words, told.value.problem), told.value.problem
    assert told.value.advice
    assert "\n" not in str(told.value)


def test_a_pickled_file_is_never_opened(folder, tmp_path):
    """A pickle that leaves a trace when it is opened."""

    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    (folder / "model.safetensors").unlink()
    torch.save(Trap(), folder / "pytorch_model.bin")
    with pytest.raises(KDistillError):
        load_models(folder, device="cpu")
    assert not (tmp_path / "sprung").exists()


def test_code_in_a_model_folder_is_never_run(folder, tmp_path):
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\nclass Evil: pass\n")
    edit_config(folder, auto_map={"AutoModel": "evil.Evil", "AutoConfig": "evil.Evil"})
    load_models(folder, device="cpu")
    assert not (tmp_path / "sprung").exists()


def test_a_teacher_folder_without_its_library_is_named(student_folder, tmp_path):
    with pytest.raises(KDistillError, match=r"library\.json"):
        load_models(student_folder, tmp_path, device="cpu")
