"""Image backbones that others trained, brought into the student: what each format means, and that all of it fits.

Read are the state dicts of torchxrayvision's and torchvision's DenseNet and of torchvision's and timm's ResNet
(safetensors, or a file of tensors alone that ``torch.load(weights_only=True)`` opens), and every folder of a
transformers backbone, such as ConvNeXt, DINOv2, Swin and ResNet. Nothing is fetched and no pickled code is run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import AutoBackbone, PreTrainedConfig, ResNetConfig

from kdistill_core.student.densenet import DenseNetConfig
from kdistill_core.student.errors import StudentError
from kdistill_core.student.modeling import StudentModel
from kdistill_core.student.processing import PIXEL_MEAN, PIXEL_STD
from kdistill_core.student.weight_files import read_backbone_folder, read_tensors

# Of pixels in [0, 1]; red, green, blue.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# torchxrayvision's pixels reach from -1024 to 1024.
XRAY_MEAN, XRAY_STD = (0.5,), (1 / 2048,)
PREPROCESSOR_FILE = "preprocessor_config.json"
_SHOWN = 4  # faults of a kind
_STAGES = 3  # that the student fuses, where nothing else is said


@dataclass(frozen=True, eq=False)
class PretrainedBackbone:
    """A backbone of others with all that the student needs of it.

    config: of the transformers backbone. weights: its state dict. pixel_mean, pixel_std: per channel, what its [0, 1]
    pixels were shifted and scaled by. left_out: names of the source's tensors that no backbone has, such as its head's.
    """

    source: Path
    config: PreTrainedConfig
    weights: dict[str, Tensor]
    pixel_mean: tuple[float, ...]
    pixel_std: tuple[float, ...]
    left_out: tuple[str, ...]

    @property
    def channel_scale(self) -> list[float]:
        """``StudentConfig.channel_scale``: from the student's pixels to this backbone's."""
        return [PIXEL_STD / std for std in self.pixel_std]

    @property
    def channel_shift(self) -> list[float]:
        """``StudentConfig.channel_shift``: from the student's pixels to this backbone's."""
        return [(PIXEL_MEAN - mean) / std for mean, std in zip(self.pixel_mean, self.pixel_std, strict=True)]


def read_backbone(
    source: Path | str, *, gray: bool = False, out_features: Sequence[str] | None = None
) -> PretrainedBackbone:
    """Return the backbone in ``source``, a file of weights or a transformers folder.

    gray: make one input channel of three by summing the first convolution, which equals the source on a gray image but
    for the normalization, whose mean over the channels is taken; else the student repeats its channel. out_features:
    the stages that the student fuses. Raises StudentError where the source is no backbone that is known, or something
    is left over or lacking.
    """
    source = Path(source)
    if source.is_dir():
        found = _of_folder(source, out_features)
    else:
        tensors = read_tensors(source)
        found = _converter(source, tensors)(source, tensors)
        found.config.out_features = list(out_features or found.config.stage_names[-_STAGES:])
    if gray and len(found.pixel_mean) > 1:
        found = _summed(found)
    with torch.device("meta"):
        expected = AutoBackbone.from_config(found.config).state_dict()
    # Files from before torch 0.4 do not count batches, and nothing depends on the count.
    counts = {name: torch.tensor(0) for name in expected if name.endswith("num_batches_tracked")}
    found = replace(found, weights=counts | found.weights)
    _check_fit(source, expected, found.weights)
    return found


def install_backbone(student: StudentModel, backbone: PretrainedBackbone) -> None:
    """Put ``backbone`` into ``student``, whose configuration holds its own. Raises StudentError where they differ."""
    own = student.vision.backbone
    _check_fit(backbone.source, own.state_dict(), backbone.weights)
    if student.vision.in_channels != len(backbone.pixel_mean):
        raise StudentError(
            f"{backbone.source} takes {len(backbone.pixel_mean)} channels, the student's backbone "
            f"{student.vision.in_channels}.",
            "Set num_channels of the backbone to the same number.",
        )
    own.load_state_dict(backbone.weights)
    student.config.channel_scale = backbone.channel_scale
    student.config.channel_shift = backbone.channel_shift


def save_backbone(backbone: PretrainedBackbone, folder: Path) -> None:
    """Write ``backbone`` as a transformers folder with its normalization, which :func:`read_backbone` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: tensor.contiguous() for name, tensor in backbone.weights.items()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    backbone.config.save_pretrained(folder)
    about = {"do_normalize": True, "image_mean": backbone.pixel_mean, "image_std": backbone.pixel_std}
    (folder / PREPROCESSOR_FILE).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def _converter(source: Path, tensors: Mapping[str, Tensor]) -> Callable[[Path, dict[str, Tensor]], PretrainedBackbone]:
    if "features.conv0.weight" in tensors:
        return _of_densenet
    if "conv1.weight" in tensors and "layer1.0.conv1.weight" in tensors:
        return _of_resnet
    raise StudentError(
        f"{source} holds no weights of a known kind (its first are {', '.join(sorted(tensors)[:3])}).",
        "Known are torchxrayvision's and torchvision's DenseNet, torchvision's and timm's ResNet, and any folder of a "
        "transformers backbone with config.json.",
    )


def _of_densenet(source: Path, tensors: dict[str, Tensor]) -> PretrainedBackbone:
    # Files from before torch 0.4 write norm.1 for norm1.
    tensors = {re.sub(r"\.(norm|conv)\.([12])\.", r".\1\2.", name): tensor for name, tensor in tensors.items()}
    first, layer = tensors["features.conv0.weight"], tensors.get("features.denseblock1.denselayer1.conv2.weight")
    if layer is None:
        raise StudentError(f"{source} has the stem of a DenseNet and no dense blocks.", "Copy the file again.")
    config = DenseNetConfig(
        num_channels=first.shape[1],
        embedding_size=first.shape[0],
        depths=_counts(tensors, r"features\.denseblock(\d+)\.denselayer(\d+)\."),
        growth_rate=layer.shape[0],
        bottleneck=layer.shape[1] // layer.shape[0],
    )
    weights, left_out = _apart(tensors, lambda name: None if re.match(r"classifier\.|op_threshs$", name) else name)
    mean, std = (XRAY_MEAN, XRAY_STD) if first.shape[1] == 1 else (IMAGENET_MEAN, IMAGENET_STD)
    return PretrainedBackbone(source, config, weights, mean, std, left_out)


def _of_resnet(source: Path, tensors: dict[str, Tensor]) -> PretrainedBackbone:
    bottleneck = "layer1.0.conv3.weight" in tensors
    last = 3 if bottleneck else 2
    depths = _counts(tensors, r"layer(\d+)\.(\d+)\.conv1\.")
    config = ResNetConfig(
        num_channels=tensors["conv1.weight"].shape[1],
        embedding_size=tensors["conv1.weight"].shape[0],
        hidden_sizes=[_rows(source, tensors, f"layer{stage + 1}.0.conv{last}.weight") for stage in range(len(depths))],
        depths=depths,
        layer_type="bottleneck" if bottleneck else "basic",
    )
    weights, left_out = _apart(tensors, _resnet_name)
    channels = config.num_channels
    mean, std = (IMAGENET_MEAN, IMAGENET_STD) if channels == 3 else ((_mean(IMAGENET_MEAN),), (_mean(IMAGENET_STD),))
    return PretrainedBackbone(source, config, weights, mean, std, left_out)


def _resnet_name(name: str) -> str | None:
    """Return transformers' name of what torchvision calls ``name``; None for the head's."""
    if name.startswith("fc."):
        return None
    part, _, kind = name.rpartition(".")
    whole = {"conv1": "embedder.embedder.convolution", "bn1": "embedder.embedder.normalization"}
    if part in whole:
        return f"{whole[part]}.{kind}"
    found = re.fullmatch(r"layer(\d+)\.(\d+)\.(?:(conv|bn)(\d)|downsample\.([01]))", part)
    if found is None:
        return name
    stage, layer, own, number, shortcut = found.groups()
    inside = f"layer.{int(number) - 1}" if number else "shortcut"
    convolution = own == "conv" or shortcut == "0"
    place = f"encoder.stages.{int(stage) - 1}.layers.{layer}.{inside}"
    return f"{place}.{'convolution' if convolution else 'normalization'}.{kind}"


def _of_folder(folder: Path, out_features: Sequence[str] | None) -> PretrainedBackbone:
    config, weights, left_out = read_backbone_folder(folder, out_features)
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    try:
        about: dict[str, Any] = json.loads((folder / PREPROCESSOR_FILE).read_text(encoding="utf-8"))
        mean = tuple(float(value) for value in about.get("image_mean", mean))
        std = tuple(float(value) for value in about.get("image_std", std))
    except FileNotFoundError:
        pass  # ImageNet's, as nearly all have
    except (ValueError, TypeError, AttributeError) as error:
        raise StudentError(
            f"{folder / PREPROCESSOR_FILE} does not say how pixels are normalized: {error}.", "Copy the file again."
        ) from error
    channels = getattr(config, "num_channels", 3)
    if channels == 1 and len(mean) == 3:
        mean, std = (_mean(mean),), (_mean(std),)
    if not len(mean) == len(std) == channels or not all(value > 0 for value in std):
        raise StudentError(
            f"{folder / PREPROCESSOR_FILE} normalizes {len(mean)} channels, the backbone takes {channels}.",
            "Give image_mean and image_std one positive value per channel.",
        )
    return PretrainedBackbone(folder, config, weights, mean, std, left_out)


def _summed(backbone: PretrainedBackbone) -> PretrainedBackbone:
    """Return the backbone with its first convolution summed over the input channels."""
    channels = len(backbone.pixel_mean)
    first = [name for name, tensor in backbone.weights.items() if tensor.dim() == 4 and tensor.shape[1] == channels]
    if len(first) != 1:
        raise StudentError(
            f"{backbone.source} has {len(first)} convolutions of {channels} channels, so its first is not known.",
            "Keep its channels: leave gray out.",
        )
    weights = {**backbone.weights, first[0]: backbone.weights[first[0]].sum(1, keepdim=True)}
    config = type(backbone.config).from_dict({**backbone.config.to_dict(), "num_channels": 1})
    mean, std = (_mean(backbone.pixel_mean),), (_mean(backbone.pixel_std),)
    return replace(backbone, config=config, weights=weights, pixel_mean=mean, pixel_std=std)


def _check_fit(source: Path, expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    """Raise StudentError that lists tensors that are lacking, left over or of another shape, the first of each."""
    kinds = (
        [f"{name} is lacking" for name in expected if name not in given],
        [f"{name} is left over" for name in given if name not in expected],
        [
            f"{name} is {list(given[name].shape)}, not {list(expected[name].shape)}"
            for name in given
            if name in expected and given[name].shape != expected[name].shape
        ],
    )
    shown = [fault for faults in kinds for fault in faults[:_SHOWN]]
    if shown:
        unsaid = sum(map(len, kinds)) - len(shown)
        raise StudentError(
            f"The weights in {source} do not fit the backbone: {'; '.join(shown)}"
            f"{f', and {unsaid} more' if unsaid else ''}.",
            "Give the backbone the same depths, widths and channels, or take its configuration from the weights.",
        )


def _apart(
    tensors: Mapping[str, Tensor], renamed: Callable[[str], str | None]
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    names = {name: renamed(name) for name in tensors}
    kept = {new: tensors[name] for name, new in names.items() if new is not None}
    return kept, tuple(sorted(name for name, new in names.items() if new is None))


def _counts(tensors: Mapping[str, Tensor], pattern: str) -> list[int]:
    """Return how many inner numbers each outer number of ``pattern`` has among the names."""
    pairs = {(int(m[1]), int(m[2])) for name in tensors if (m := re.match(pattern, name))}
    return [sum(outer == wanted for outer, _ in pairs) for wanted in sorted({outer for outer, _ in pairs})]


def _rows(source: Path, tensors: Mapping[str, Tensor], name: str) -> int:
    if name not in tensors:
        raise StudentError(f"{source} lacks {name}.", "Copy the file again.")
    return int(tensors[name].shape[0])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
