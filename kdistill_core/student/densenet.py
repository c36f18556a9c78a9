"""DenseNet as a transformers backbone (Huang et al., Densely Connected Convolutional Networks, CVPR 2017).

transformers has none, and the best known chest radiograph weights are DenseNets. The layers carry the names of the
published weights (``denseblock1.denselayer1.norm1`` and so on), so that those come in as they are. Each stage's map is
a dense block's output after the normalization and ReLU that read it next.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, ClassVar, cast

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedConfig, PreTrainedModel
from transformers import initialization as init
from transformers.backbone_utils import BackboneConfigMixin, BackboneMixin
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import BackboneOutput


@strict
class DenseNetConfig(BackboneConfigMixin, PreTrainedConfig):
    """The shape of a DenseNet-BC; the defaults are DenseNet-121.

    embedding_size: channels after the first convolution. depths: layers of each dense block. growth_rate: channels that
    a layer adds. bottleneck: width of a layer's 1 x 1 convolution, in growth rates.
    """

    model_type: ClassVar[str] = "kdistill_densenet"

    num_channels: int = 1
    embedding_size: int = 64
    depths: list[int] | tuple[int, ...] = (6, 12, 24, 16)
    growth_rate: int = 32
    bottleneck: int = 4
    _out_features: list[str] | None = None
    _out_indices: list[int] | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        self.depths = list(self.depths)
        self.stage_names = ["stem", *(f"stage{number}" for number in range(1, len(self.depths) + 1))]
        self.set_output_features_output_indices(
            out_features=kwargs.pop("out_features", None), out_indices=kwargs.pop("out_indices", None)
        )
        super().__post_init__(**kwargs)  # type: ignore[no-untyped-call]


class DenseLayer(GradientCheckpointingLayer):
    """A bottleneck of 1 x 1 and 3 x 3 convolutions whose output joins its input's channels."""

    def __init__(self, channels: int, config: DenseNetConfig) -> None:
        super().__init__()
        inner = config.bottleneck * config.growth_rate
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, inner, kernel_size=1, bias=False)
        self.norm2 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, config.growth_rate, kernel_size=3, padding=1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return ``features`` [B, C, h, w] with ``growth_rate`` channels more."""
        hidden = self.conv1(functional.relu(self.norm1(features)))
        new = self.conv2(functional.relu(self.norm2(hidden)))
        return torch.cat([features, new], dim=1)


class DenseNetBackbone(BackboneMixin, PreTrainedModel):
    """The stem, dense blocks and transitions; feature maps [B, C, h, w] of the stages that are asked for."""

    config: DenseNetConfig
    config_class = DenseNetConfig
    base_model_prefix = "densenet"
    main_input_name = "pixel_values"
    input_modalities = ["image"]  # noqa: RUF012 - the library declares a list
    supports_gradient_checkpointing = True
    has_attentions = False

    def __init__(self, config: DenseNetConfig) -> None:
        super().__init__(config)
        channels = config.embedding_size
        parts: OrderedDict[str, nn.Module] = OrderedDict(
            conv0=nn.Conv2d(config.num_channels, channels, kernel_size=7, stride=2, padding=3, bias=False),
            norm0=nn.BatchNorm2d(channels),
        )
        self.num_features = [channels]
        for number, depth in enumerate(config.depths, start=1):
            layers: OrderedDict[str, nn.Module] = OrderedDict(
                (f"denselayer{index + 1}", DenseLayer(channels + index * config.growth_rate, config))
                for index in range(depth)
            )
            parts[f"denseblock{number}"] = nn.Sequential(layers)
            channels += depth * config.growth_rate
            self.num_features.append(channels)
            if number < len(config.depths):
                parts[f"transition{number}"] = nn.Sequential(
                    OrderedDict(
                        norm=nn.BatchNorm2d(channels),
                        conv=nn.Conv2d(channels, channels // 2, kernel_size=1, bias=False),
                    )
                )
                channels //= 2
        parts[_last_norm(config)] = nn.BatchNorm2d(channels)
        self.features = nn.ModuleDict(parts)
        self.post_init()  # type: ignore[no-untyped-call]

    def forward(self, pixel_values: Tensor, **_: Any) -> BackboneOutput:  # type: ignore[override]
        """Return the feature maps of ``pixel_values`` [B, channels, S, S]."""
        last = len(self.config.depths)
        stem = functional.relu(self.features["norm0"](self.features["conv0"](pixel_values)))
        hidden = functional.max_pool2d(stem, kernel_size=3, stride=2, padding=1)
        maps = {"stem": hidden}
        for number in range(1, last + 1):
            hidden = self.features[f"denseblock{number}"](hidden)
            if number == last:
                maps[f"stage{number}"] = functional.relu(self.features[_last_norm(self.config)](hidden))
                break
            transition = cast("nn.Sequential", self.features[f"transition{number}"])
            maps[f"stage{number}"] = functional.relu(transition.get_submodule("norm")(hidden))
            hidden = functional.avg_pool2d(transition.get_submodule("conv")(maps[f"stage{number}"]), 2)
        found: Any = tuple(maps[name] for name in self.out_features)
        return BackboneOutput(feature_maps=found)

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Conv2d):
            init.kaiming_normal_(module.weight, nonlinearity="relu")
        elif isinstance(module, nn.BatchNorm2d):
            super()._init_weights(module)  # type: ignore[no-untyped-call]


def _last_norm(config: DenseNetConfig) -> str:
    # norm5 of the published networks, which have four blocks.
    return f"norm{len(config.depths) + 1}"
