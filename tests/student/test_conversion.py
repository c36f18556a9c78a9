"""Weights of others give what they gave at home: each format's own forward pass is written out here by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional
from transformers import AutoBackbone, AutoConfig, AutoModel, ConvNextConfig, ConvNextForImageClassification

from kdistill_core.student import StudentConfig, StudentError, StudentModel
from kdistill_core.student.configuration import tiny_config
from kdistill_core.student.conversion import install_backbone, read_backbone, save_backbone

RANDOM = torch.Generator().manual_seed(5)


def random_norm(weights: dict[str, Tensor], name: str, channels: int) -> None:
    weights[f"{name}.weight"] = torch.rand(channels, generator=RANDOM) + 0.5
    weights[f"{name}.bias"] = torch.randn(channels, generator=RANDOM) * 0.1
    weights[f"{name}.running_mean"] = torch.randn(channels, generator=RANDOM) * 0.1
    weights[f"{name}.running_var"] = torch.rand(channels, generator=RANDOM) + 0.5
    weights[f"{name}.num_batches_tracked"] = torch.tensor(7)


def random_convolution(weights: dict[str, Tensor], name: str, rows: int, columns: int, side: int) -> None:
    values = torch.randn(rows, columns, side, side, generator=RANDOM)
    weights[f"{name}.weight"] = values * (columns * side * side) ** -0.5


def norm(weights: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    mean, var = weights[f"{name}.running_mean"], weights[f"{name}.running_var"]
    return functional.batch_norm(x, mean, var, weights[f"{name}.weight"], weights[f"{name}.bias"], eps=1e-5)


def densenet_weights(channels: int = 1, depths: tuple[int, ...] = (2, 3, 2, 2), grown: int = 4) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = {}
    random_convolution(weights, "features.conv0", 8, channels, 7)
    random_norm(weights, "features.norm0", 8)
    width = 8
    for block, depth in enumerate(depths, start=1):
        for layer in range(1, depth + 1):
            name = f"features.denseblock{block}.denselayer{layer}"
            random_norm(weights, f"{name}.norm1", width)
            random_convolution(weights, f"{name}.conv1", 4 * grown, width, 1)
            random_norm(weights, f"{name}.norm2", 4 * grown)
            random_convolution(weights, f"{name}.conv2", grown, 4 * grown, 3)
            width += grown
        if block < len(depths):
            random_norm(weights, f"features.transition{block}.norm", width)
            random_convolution(weights, f"features.transition{block}.conv", width // 2, width, 1)
            width //= 2
    random_norm(weights, "features.norm5", width)
    weights["classifier.weight"], weights["classifier.bias"] = torch.zeros(18, width), torch.zeros(18)
    return weights


def densenet(weights: dict[str, Tensor], x: Tensor, depths: tuple[int, ...] = (2, 3, 2, 2)) -> Tensor:
    """The rectified features before the classifier, as torchxrayvision computes them."""
    x = functional.conv2d(x, weights["features.conv0.weight"], stride=2, padding=3)
    x = functional.max_pool2d(functional.relu(norm(weights, "features.norm0", x)), 3, stride=2, padding=1)
    for block, depth in enumerate(depths, start=1):
        for layer in range(1, depth + 1):
            name = f"features.denseblock{block}.denselayer{layer}"
            y = functional.conv2d(functional.relu(norm(weights, f"{name}.norm1", x)), weights[f"{name}.conv1.weight"])
            y = functional.relu(norm(weights, f"{name}.norm2", y))
            x = torch.cat([x, functional.conv2d(y, weights[f"{name}.conv2.weight"], padding=1)], 1)
        if block < len(depths):
            name = f"features.transition{block}"
            x = functional.conv2d(functional.relu(norm(weights, f"{name}.norm", x)), weights[f"{name}.conv.weight"])
            x = functional.avg_pool2d(x, 2, stride=2)
    return functional.relu(norm(weights, "features.norm5", x))


def resnet_weights(*, bottleneck: bool, depths: tuple[int, ...] = (2, 1), channels: int = 3) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = {}
    random_convolution(weights, "conv1", 8, channels, 7)
    random_norm(weights, "bn1", 8)
    width = 8
    for stage, depth in enumerate(depths, start=1):
        inner = 8 * stage
        out = inner * (4 if bottleneck else 1)
        for block in range(depth):
            name = f"layer{stage}.{block}"
            plan = [(inner, width, 1), (inner, inner, 3), (out, inner, 1)] if bottleneck else [
                (inner, width, 3), (out, inner, 3)]  # fmt: skip
            for index, (rows, columns, side) in enumerate(plan, start=1):
                random_convolution(weights, f"{name}.conv{index}", rows, columns, side)
                random_norm(weights, f"{name}.bn{index}", rows)
            if block == 0 and (stage > 1 or width != out):
                random_convolution(weights, f"{name}.downsample.0", out, width, 1)
                random_norm(weights, f"{name}.downsample.1", out)
            width = out
    weights["fc.weight"], weights["fc.bias"] = torch.zeros(10, width), torch.zeros(10)
    return weights


def resnet(weights: dict[str, Tensor], x: Tensor, depths: tuple[int, ...] = (2, 1)) -> Tensor:
    """The map before pooling, as torchvision computes it: the stride is in the first 3 x 3 convolution of a block."""
    x = functional.relu(norm(weights, "bn1", functional.conv2d(x, weights["conv1.weight"], stride=2, padding=3)))
    x = functional.max_pool2d(x, 3, stride=2, padding=1)
    for stage, depth in enumerate(depths, start=1):
        for block in range(depth):
            name, stride, y = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1, x
            count = 3 if f"{name}.conv3.weight" in weights else 2
            for index in range(1, count + 1):
                kernel = weights[f"{name}.conv{index}.weight"]
                here = stride if index == (2 if count == 3 else 1) else 1
                y = norm(weights, f"{name}.bn{index}",
                         functional.conv2d(y, kernel, stride=here, padding=kernel.shape[-1] // 2))  # fmt: skip
                y = functional.relu(y) if index < count else y
            if f"{name}.downsample.0.weight" in weights:
                x = norm(weights, f"{name}.downsample.1",
                         functional.conv2d(x, weights[f"{name}.downsample.0.weight"], stride=stride))  # fmt: skip
            x = functional.relu(x + y)
    return x


def student_with(backbone, image_size: int = 64) -> StudentModel:
    config = {**tiny_config(image_size=image_size).to_dict(), "backbone_config": backbone.config.to_dict()}
    model = StudentModel(StudentConfig(**config)).eval()
    install_backbone(model, backbone)
    return model


def last_map(model: StudentModel, pixel_values: Tensor) -> Tensor:
    """What the backbone inside the student makes of the student's own pixels."""
    found = []
    handle = model.vision.backbone.register_forward_hook(
        lambda module, given, made: found.append(made.feature_maps[-1])
    )
    with torch.no_grad():
        model.vision(pixel_values)
    handle.remove()
    return found[0]


PIXELS = torch.rand(2, 1, 64, 64, generator=RANDOM)  # in [0, 1], bright where dense
SEEN = (PIXELS - 0.5) / 0.25  # as the processor makes them


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_a_torchxrayvision_densenet_sees_what_it_saw_at_home(tmp_path: Path, suffix: str) -> None:
    weights, path = densenet_weights(), tmp_path / f"weights{suffix}"
    save_file(weights, path) if suffix == ".safetensors" else torch.save(weights, path)
    backbone = read_backbone(path)
    assert backbone.config.depths == [2, 3, 2, 2]
    assert (backbone.config.growth_rate, backbone.config.bottleneck) == (4, 4)
    assert backbone.left_out == ("classifier.bias", "classifier.weight")
    # Their normalize() maps 0 to -1024 and the largest value to 1024.
    expected = densenet(weights, (2 * PIXELS - 1) * 1024)
    torch.testing.assert_close(last_map(student_with(backbone), SEEN), expected, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("bottleneck", [False, True])
def test_a_torchvision_resnet_sees_what_it_saw_at_home(tmp_path: Path, bottleneck: bool) -> None:
    weights = resnet_weights(bottleneck=bottleneck)
    torch.save({"state_dict": {f"module.{name}": tensor for name, tensor in weights.items()}}, tmp_path / "resnet.pth")
    backbone = read_backbone(tmp_path / "resnet.pth")
    assert backbone.left_out == ("fc.bias", "fc.weight")
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = resnet(weights, (PIXELS.expand(-1, 3, -1, -1) - mean[:, None, None]) / std[:, None, None])
    torch.testing.assert_close(last_map(student_with(backbone), SEEN), expected, atol=1e-4, rtol=1e-4)


def test_three_channels_become_one_by_summing(tmp_path: Path) -> None:
    weights = resnet_weights(bottleneck=False)
    save_file(weights, tmp_path / "resnet.safetensors")
    backbone = read_backbone(tmp_path / "resnet.safetensors", gray=True)
    assert backbone.config.num_channels == 1
    # The means of ImageNet's three: 0.449 and 0.226.
    gray = (PIXELS - 0.449) / 0.226
    torch.testing.assert_close(last_map(student_with(backbone), SEEN), resnet(weights, gray.expand(-1, 3, -1, -1)),
                               atol=1e-4, rtol=1e-4)  # fmt: skip


def test_files_from_before_torch_0_4_are_read(tmp_path: Path) -> None:
    weights = densenet_weights()
    old = {
        name.replace(".norm1.", ".norm.1.").replace(".conv2.", ".conv.2."): tensor
        for name, tensor in weights.items()
        if not name.endswith("num_batches_tracked")
    }
    torch.save(old, tmp_path / "old.pt")
    expected = densenet(weights, (2 * PIXELS - 1) * 1024)
    torch.testing.assert_close(last_map(student_with(read_backbone(tmp_path / "old.pt")), SEEN), expected, atol=1e-3,
                               rtol=1e-4)  # fmt: skip


def test_a_backbone_that_was_read_is_stored_and_read_again(tmp_path: Path) -> None:
    save_file(densenet_weights(), tmp_path / "densenet.safetensors")
    first = read_backbone(tmp_path / "densenet.safetensors")
    save_backbone(first, tmp_path / "stored")
    again = read_backbone(tmp_path / "stored")
    assert (again.pixel_mean, again.pixel_std) == (first.pixel_mean, first.pixel_std)
    assert again.config.out_features == ["stage2", "stage3", "stage4"]
    assert torch.equal(last_map(student_with(first), SEEN), last_map(student_with(again), SEEN))


@pytest.mark.parametrize("kind", ["convnext", "dinov2", "swin"])
def test_a_folder_of_a_whole_transformers_model_gives_its_backbone(tmp_path: Path, kind: str) -> None:
    shape = {
        "convnext": {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2},
        "dinov2": {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 1, "image_size": 64,
                   "patch_size": 16},
        "swin": {"embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2], "image_size": 64, "window_size": 4},
    }[kind]  # fmt: skip
    torch.manual_seed(0)
    whole = AutoModel.from_config(AutoConfig.for_model(kind, **shape)).eval()
    whole.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.5] * 3, "image_std": [0.2] * 3}))
    backbone = read_backbone(tmp_path, out_features=["stage2"])
    given = ((PIXELS - 0.5) / 0.2).expand(-1, 3, -1, -1)
    with torch.no_grad():
        found = last_map(student_with(backbone), SEEN)
        home = whole(given, output_hidden_states=True)
    if kind == "dinov2":
        expected = home.last_hidden_state[:, 1:].transpose(1, 2).unflatten(-1, (4, 4))
    elif kind == "convnext":
        expected = functional.layer_norm(home.last_hidden_state.permute(0, 2, 3, 1), (16,), eps=1e-6).permute(
            0, 3, 1, 2
        )
    else:
        last = home.reshaped_hidden_states[-1]
        expected = functional.layer_norm(last.permute(0, 2, 3, 1), (last.shape[1],)).permute(0, 3, 1, 2)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_the_head_of_a_folder_is_left_out(tmp_path: Path) -> None:
    ConvNextForImageClassification(ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2)).save_pretrained(
        tmp_path
    )
    backbone = read_backbone(tmp_path, gray=True)
    assert "classifier.weight" in backbone.left_out
    assert backbone.config.num_channels == 1
    assert backbone.weights["embeddings.patch_embeddings.weight"].shape == (8, 1, 4, 4)


def broken(path: Path, how: str) -> Path:
    weights = densenet_weights()
    if how == "lacking":
        del weights["features.denseblock2.denselayer3.norm2.bias"], weights["features.norm5.weight"]
    if how == "left over":
        weights["features.extra.weight"] = torch.zeros(1)
    if how == "shape":
        weights["features.transition1.conv.weight"] = torch.zeros(3, 3, 1, 1)
    if how == "unknown":
        weights = {"encoder.weight": torch.zeros(2)}
    if how == "pickled":
        torch.save(torch.nn.Linear(1, 1), path)
        return path
    if how == "numbers":
        torch.save({"epoch": 3}, path)
        return path
    torch.save(weights, path)
    if how == "cut":
        path.write_bytes(path.read_bytes()[:2000])
    return path


@pytest.mark.parametrize(
    ("how", "problem"),
    [
        ("lacking", r"denselayer3\.norm2\.bias is lacking; features\.norm5\.weight is lacking"),
        ("left over", r"features\.extra\.weight is left over"),
        ("shape", r"transition1\.conv\.weight is \[3, 3, 1, 1\], not \[8, 16, 1, 1\]"),
        ("unknown", r"no weights of a known kind \(its first are encoder\.weight\)"),
        ("pickled", "holds more than tensors"),
        ("numbers", "is not a table of tensors"),
        ("cut", "cannot be read as weights"),
    ],
)
def test_what_does_not_fit_is_listed(tmp_path: Path, how: str, problem: str) -> None:
    with pytest.raises(StudentError, match=problem) as refusal:
        read_backbone(broken(tmp_path / "weights.pt", how))
    assert "weights.pt" in refusal.value.problem
    assert refusal.value.advice


def test_a_folder_that_is_no_backbone_is_refused(tmp_path: Path, tiny_folder: Path) -> None:
    with pytest.raises(StudentError, match="type 'llama', which is no image backbone"):
        read_backbone(tiny_folder)
    with pytest.raises(StudentError, match="cannot be loaded"):
        read_backbone(tmp_path)
    with pytest.raises(StudentError, match="no weight file"):
        read_backbone(tmp_path / "nothing.pt")


def test_a_folder_that_lacks_weights_is_refused(tmp_path: Path) -> None:
    model = AutoBackbone.from_config(ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2))
    config = ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 2], num_stages=2)
    model.save_pretrained(tmp_path)
    config.save_pretrained(tmp_path)
    with pytest.raises(StudentError, match=r"lack .* of the backbone's, such as encoder"):
        read_backbone(tmp_path)


def test_a_student_of_another_shape_refuses_the_backbone(tmp_path: Path) -> None:
    save_file(densenet_weights(), tmp_path / "densenet.safetensors")
    backbone = read_backbone(tmp_path / "densenet.safetensors")
    with pytest.raises(StudentError, match="is left over"):
        install_backbone(StudentModel(tiny_config()), backbone)
    with pytest.raises(StudentError, match="`channel_scale` has 3 values, the backbone 1 channels"):
        StudentConfig(**{**tiny_config().to_dict(), "channel_scale": [1.0, 1.0, 1.0]})
