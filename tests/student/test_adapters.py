"""Low-rank adapters in the language model: few weights learn, a checkpoint opens like any other, merging keeps all."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from kdistill_core.student import StudentError, StudentModel
from kdistill_core.student.adapters import LoraSettings, add_lora, merge_lora
from kdistill_core.student.loading import load_student
from kdistill_core.student.tiny import tiny_student

IDS = torch.randint(3, 200, (2, 6), generator=torch.Generator().manual_seed(2))
IMAGES = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(1))


def adapted(settings: LoraSettings | None = None) -> StudentModel:
    model = tiny_student()[0]
    add_lora(model, settings or LoraSettings(rank=2, alpha=4, dropout=0.0))
    return model


def learned(model: StudentModel) -> StudentModel:
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.3)
    return model


def logits(model: StudentModel) -> torch.Tensor:
    with torch.no_grad():
        return model(pixel_values=IMAGES, input_ids=IDS).logits


def test_an_adapter_starts_without_a_say_and_is_all_of_the_language_model_that_learns() -> None:
    plain, model = tiny_student()[0], adapted()
    assert torch.equal(logits(plain), logits(model))
    learning = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    of_text = {name for name in learning if name.startswith("language_model")}
    # Two layers of seven linear maps, two factors each; the output layer is not adapted.
    assert len(of_text) == 2 * 7 * 2
    assert all("lora_" in name for name in of_text)
    assert "condition_queries.queries" in learning


def test_what_it_adds_is_scaled_as_the_paper_says() -> None:
    model = learned(adapted(LoraSettings(rank=2, alpha=6, dropout=0.0, targets=["q_proj"])))
    layer = model.language_model.model.layers[1].self_attn.q_proj
    given = torch.randn(3, 32)
    added = given @ layer.lora_A["default"].weight.T @ layer.lora_B["default"].weight.T * (6 / 2)
    torch.testing.assert_close(layer(given), given @ layer.base_layer.weight.T + added)


def test_a_checkpoint_with_adapters_opens_like_any_other(tmp_path: Path) -> None:
    model = learned(adapted())
    model.save_pretrained(tmp_path)
    tiny_student()[1].save_pretrained(tmp_path)
    again, _ = load_student(tmp_path)
    assert again.config.lora["rank"] == 2
    assert torch.equal(logits(model), logits(again))
    assert again.get_input_embeddings().weight is again.get_output_embeddings().weight


def test_merged_it_says_the_same_and_is_a_plain_student(tmp_path: Path) -> None:
    model = learned(adapted())
    before = logits(model)
    assert not torch.allclose(before, logits(tiny_student()[0]), atol=1e-2)
    merge_lora(model)
    torch.testing.assert_close(logits(model), before, atol=1e-5, rtol=1e-4)
    assert set(model.state_dict()) == set(tiny_student()[0].state_dict())
    assert all(parameter.requires_grad for parameter in model.parameters())
    model.save_pretrained(tmp_path)
    tiny_student()[1].save_pretrained(tmp_path)
    torch.testing.assert_close(logits(load_student(tmp_path)[0]), before, atol=1e-5, rtol=1e-4)


def test_gradients_reach_adapters_through_recomputed_layers() -> None:
    model = learned(adapted()).train()
    model.activation_checkpointing_enable()
    model(pixel_values=IMAGES, input_ids=IDS, labels=IDS).loss.backward()
    layer = model.language_model.model.layers[0].self_attn.q_proj
    assert layer.lora_A["default"].weight.grad.abs().sum() > 0
    assert layer.base_layer.weight.grad is None
    assert model.projector[0].weight.grad.abs().sum() > 0


def test_an_adapter_that_does_not_fit_is_refused() -> None:
    with pytest.raises(StudentError, match="does not fit the language model"):
        add_lora(tiny_student()[0], LoraSettings(targets=["no_such_layer"]))
    with pytest.raises(StudentError, match="adapters already"):
        add_lora(adapted())
