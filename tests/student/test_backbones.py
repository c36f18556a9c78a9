"""Any backbone of transformers fits, at any size it can take, and can be recomputed instead of remembered."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers import AutoBackbone, AutoConfig

from kdistill_core.student import StudentConfig, StudentError, StudentModel
from kdistill_core.student.configuration import tiny_config
from kdistill_core.student.densenet import DenseNetConfig

TINY = {
    "convnext": {"num_channels": 3, "hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2,
                 "out_features": ["stage1", "stage2"]},
    "resnet": {"num_channels": 1, "embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 2], "layer_type": "basic",
               "out_features": ["stage1", "stage2"]},
    "dinov2": {"num_channels": 3, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 1, "image_size": 64,
               "patch_size": 16, "mlp_ratio": 1, "out_features": ["stage2"], "reshape_hidden_states": True},
    "swin": {"num_channels": 1, "embed_dim": 8, "depths": [1, 2], "num_heads": [1, 2], "image_size": 64,
             "window_size": 4, "drop_path_rate": 0.0, "out_features": ["stage1", "stage2"]},
    "kdistill_densenet": {"num_channels": 1, "embedding_size": 8, "depths": [2, 2], "growth_rate": 4, "bottleneck": 2,
                          "out_features": ["stage1", "stage2"]},
}  # fmt: skip


def student_on(kind: str, image_size: int = 64, **settings: object) -> StudentModel:
    torch.manual_seed(0)
    backbone = {"model_type": kind, **TINY[kind], **settings}
    config = {**tiny_config(image_size=image_size).to_dict(), "backbone_config": backbone, "dropout": 0.0}
    return StudentModel(StudentConfig(**config)).eval()


@pytest.mark.parametrize("kind", TINY)
def test_a_backbone_sees_images_of_1024_pixels(kind: str) -> None:
    model = student_on(kind, 1024)
    with torch.no_grad():
        seen = model.encode(torch.randn(1, 1, 1024, 1024))
    reduction = {"dinov2": 16}.get(kind, 4)
    assert seen.feature_map.shape[-1] == 1024 // reduction
    assert seen.condition_logits.isfinite().all()


@pytest.mark.parametrize("kind", TINY)
def test_the_map_keeps_its_place_at_another_size_than_the_backbones_own(kind: str) -> None:
    model = student_on(kind, 192)
    bright = torch.zeros(1, 1, 192, 192)
    bright[..., -32:, :32] = 4.0
    with torch.no_grad():
        changed = (model.vision(bright) - model.vision(torch.zeros_like(bright))).abs().mean(1)[0]
    rows, columns = changed.shape
    assert changed[rows // 2 :, : columns // 2].mean() > changed[: rows // 2, columns // 2 :].mean()


def test_swins_own_positions_are_interpolated_too() -> None:
    model = student_on("swin", 96, use_absolute_embeddings=True)
    assert model.encode(torch.randn(1, 1, 96, 96)).feature_map.shape[-1] == 24


@pytest.mark.parametrize(
    ("kind", "size", "settings", "problem"),
    [
        ("dinov2", 100, {}, "100 pixels are no whole number of the backbone's 16-pixel patches"),
        ("resnet", 2048, {}, "2048 pixels is too large"),
    ],
)
def test_a_size_that_does_not_fit_is_refused(kind: str, size: int, settings: dict, problem: str) -> None:
    with pytest.raises(StudentError, match=problem) as refusal:
        student_on(kind, size, **settings)
    assert refusal.value.advice


def test_positions_that_cannot_be_interpolated_are_refused() -> None:
    backbone = {"model_type": "vitpose_backbone", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1,
                "image_size": [64, 64], "patch_size": [16, 16]}  # fmt: skip
    with pytest.raises(StudentError, match="vitpose_backbone backbone of 64 pixels cannot be interpolated to 96"):
        StudentModel(StudentConfig(**{**tiny_config(image_size=96).to_dict(), "backbone_config": backbone}))


@pytest.mark.parametrize("kind", TINY)
def test_recomputing_gives_the_same_gradients_and_batch_statistics(kind: str) -> None:
    images = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    ids = torch.randint(3, 300, (2, 6), generator=torch.Generator().manual_seed(2))
    runs = []
    for recomputed in (False, True):
        model = student_on(kind).train()
        calls = []
        if recomputed:
            model.activation_checkpointing_enable()
        layers = [part for part in model.modules() if getattr(part, "gradient_checkpointing", False)]
        for layer in layers:
            parts = [part for part in layer.modules() if isinstance(part, nn.Linear | nn.Conv2d)]
            parts[0].register_forward_hook(lambda *_, calls=calls: calls.append(1))
        output = model(pixel_values=images, input_ids=ids, labels=ids)
        once = len(calls)
        (output.loss + output.condition_logits.square().sum()).backward()
        runs.append((model, once, len(calls), layers))
    (plain, *_), (again, once, in_all, layers) = runs
    assert [part for part in layers if part in list(again.vision.modules())]
    assert [part for part in layers if part in list(again.language_model.modules())]
    assert in_all > once  # the layers ran again
    for name, parameter in plain.named_parameters():
        other = again.get_parameter(name).grad
        assert (parameter.grad is None) == (other is None), name
        if other is not None:
            torch.testing.assert_close(parameter.grad, other, msg=lambda said, name=name: f"{name}: {said}")
    for name, value in plain.named_buffers():
        torch.testing.assert_close(value, again.get_buffer(name))
    again.activation_checkpointing_disable()
    assert not again.is_activation_checkpointing


def test_recomputing_that_would_count_batches_twice_is_refused() -> None:
    with pytest.raises(StudentError, match="counts every batch twice"):
        student_on("resnet").activation_checkpointing_enable({"use_reentrant": True})


def test_a_layer_whose_statistics_are_frozen_is_recomputed_with_them() -> None:
    model = student_on("resnet")
    images = torch.randn(2, 1, 64, 64)
    model.language_model.train()
    grads = []
    for recomputed in (False, True):
        model.zero_grad()
        if recomputed:
            model.activation_checkpointing_enable()
        for layer in (m for m in model.vision.modules() if hasattr(m, "gradient_checkpointing")):
            layer.training = True  # its batch normalization stays in evaluation mode
        model.encode(images).condition_logits.sum().backward()
        grads.append(model.vision.backbone.embedder.embedder.convolution.weight.grad.clone())
    torch.testing.assert_close(*grads)


def test_densenet_121_is_the_published_network() -> None:
    with torch.device("meta"):
        model = AutoBackbone.from_config(DenseNetConfig(num_channels=3))
    # Huang et al. and torchvision: 7,978,856 parameters with 1,000 classes of 1,024 features and their biases.
    assert sum(parameter.numel() for parameter in model.parameters()) == 7_978_856 - 1_025_000
    assert model.channels == [1024]
    names = set(model.state_dict())
    assert {"features.denseblock4.denselayer16.conv2.weight", "features.transition3.conv.weight"} <= names
    assert "features.norm5.running_mean" in names


def test_densenet_starts_with_signal_of_even_size() -> None:
    config = AutoConfig.for_model("kdistill_densenet", depths=[6, 12], out_features=["stem", "stage1", "stage2"])
    torch.manual_seed(0)
    maps = AutoBackbone.from_config(config).train()(torch.randn(2, 1, 64, 64)).feature_maps
    assert [tuple(grid.shape[1:]) for grid in maps] == [(64, 16, 16), (256, 16, 16), (512, 8, 8)]
    for grid in maps[1:]:
        # After batch normalization and ReLU a unit normal has the second moment 1/2.
        assert float(grid.detach().square().mean()) == pytest.approx(0.5, abs=0.05)
