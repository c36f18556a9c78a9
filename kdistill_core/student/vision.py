"""The student's eye: backbone features fused into one map, and the condition queries that attend to it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoBackbone

from kdistill_core.student.backbones import checkpoint_layers, size_arguments
from kdistill_core.student.configuration import StudentConfig


class FeatureMap(nn.Module):
    """Any transformers backbone, its output stages fused at the resolution of the first of them.

    Raises StudentError where the backbone cannot take images of the configured size.
    """

    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        self.backbone = AutoBackbone.from_config(config.backbone_config)
        checkpoint_layers(self.backbone)
        self._arguments = size_arguments(self.backbone, config.image_size)
        self.config = config
        self.in_channels: int = getattr(config.backbone_config, "num_channels", 3)
        self.lateral = nn.ModuleList(
            nn.Conv2d(channels, config.feature_size, kernel_size=1) for channels in self.backbone.channels
        )
        self.fuse = nn.Sequential(
            nn.Conv2d(config.feature_size, config.feature_size, 3, padding=1, groups=config.feature_size),
            nn.GroupNorm(1, config.feature_size),
            nn.GELU(),
        )

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Return the feature map float [B, C, h, w] of ``pixel_values`` float [B, 1, S, S]."""
        pixels = pixel_values.expand(-1, self.in_channels, -1, -1)
        if self.config.channel_scale is not None:
            pixels = pixels * pixels.new_tensor(self.config.channel_scale)[:, None, None]
        if self.config.channel_shift is not None:
            pixels = pixels + pixels.new_tensor(self.config.channel_shift)[:, None, None]
        maps = self.backbone(pixels, **self._arguments).feature_maps
        fused = self.lateral[0](maps[0])
        for lateral, coarse in zip(self.lateral[1:], maps[1:], strict=True):
            fused = fused + functional.interpolate(
                lateral(coarse), size=fused.shape[-2:], mode="bilinear", align_corners=False
            )
        return self.fuse(fused)  # type: ignore[no-any-return]


class ConditionQueries(nn.Module):
    """One learned query per condition, attending to the feature map; what it attends to explains its logit.

    The values carry a fixed two-dimensional sine position (as Carion et al., ECCV 2020), so that a query knows the
    side of what it found.
    """

    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        count, width = len(config.conditions), config.feature_size
        self.heads = config.query_heads
        self.queries = nn.Parameter(torch.empty(count, width))
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.mix = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.final_norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(config.dropout)
        self.score = nn.Parameter(torch.empty(count, width))
        self.bias = nn.Parameter(torch.zeros(count))

    def forward(self, feature_map: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return embeddings [B, K, C], logits [B, K] and attention [B, K, h, w], which sums to 1 over the map."""
        embeddings, logits, attention = self.over_views(feature_map.unsqueeze(1))
        return embeddings, logits, attention.squeeze(2)

    def over_views(
        self, feature_maps: Tensor, view: Tensor | None = None, present: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return embeddings [B, K, C], logits [B, K] and attention [B, K, V, h, w], which sums to 1 over all maps.

        feature_maps: float [B, V, C, h, w]. view: float [B, V, C], what tells the views apart. present: bool [B, V],
        False for views that are not attended to; None for all.
        """
        batch, _, width, rows, columns = feature_maps.shape
        tokens = feature_maps.flatten(3).transpose(2, 3)
        placed = tokens + sine_positions(rows, columns, width).to(tokens)
        if view is not None:
            placed = placed + view.unsqueeze(2)
        placed = placed.flatten(1, 2)
        keys = self._split(self.key(placed))
        values = self._split(self.value(placed))
        queries = self._split(self.queries.expand(batch, -1, -1))
        scores = queries @ keys.transpose(-1, -2) / math.sqrt(width / self.heads)
        if present is not None:
            absent = ~present.repeat_interleave(rows * columns, dim=1)
            scores = scores.masked_fill(absent[:, None, None], -math.inf)
        weights = torch.softmax(scores, dim=-1)
        seen = (weights @ values).transpose(1, 2).flatten(2)
        hidden = self.norm(self.queries + self.out(seen))
        embeddings = self.dropout(self.final_norm(hidden + self.mix(hidden)))
        logits = (embeddings * self.score).sum(-1) + self.bias
        return embeddings, logits, weights.mean(1).unflatten(-1, (-1, rows, columns))

    def _split(self, tokens: Tensor) -> Tensor:
        apart: Tensor = tokens.unflatten(-1, (self.heads, -1))
        return apart.transpose(1, 2)


def sine_positions(rows: int, columns: int, width: int) -> Tensor:
    """Return fixed positions float32 [rows * columns, width]: half for x, half for y, each in [0, 1] of the map."""
    quarter = width // 4
    frequencies = math.pi * 2.0 ** (torch.arange(quarter) % 8)
    across = ((torch.arange(columns) + 0.5) / columns)[:, None] * frequencies
    down = ((torch.arange(rows) + 0.5) / rows)[:, None] * frequencies
    x = torch.cat([across.sin(), across.cos()], -1).expand(rows, columns, -1)
    y = torch.cat([down.sin(), down.cos()], -1)[:, None].expand(rows, columns, -1)
    positions = torch.cat([x, y], -1).flatten(0, 1)
    return functional.pad(positions, (0, width - positions.shape[-1]))
