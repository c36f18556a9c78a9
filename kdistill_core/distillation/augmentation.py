"""Honest variations of a radiograph: exposure, noise and small movements; never a flip, since sides mean something."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Augmentation:
    """How far each variation goes, as the half-width of a uniform draw (a standard deviation for noise).

    rotation: degrees; shift: share of the side; scale, contrast: factors' distance from 1; gamma: of its logarithm;
    brightness, noise: in units of the [0, 1] pixels.
    """

    rotation: float = 6.0
    shift: float = 0.05
    scale: float = 0.1
    gamma: float = 0.3
    contrast: float = 0.2
    brightness: float = 0.06
    noise: float = 0.015


def augment(pixels: Tensor, settings: Augmentation, generator: torch.Generator) -> Tensor:
    """Return ``pixels`` float32 [B, 1, S, S] in [0, 1], each image varied by a draw of its own."""
    count = len(pixels)

    def draw(width: float) -> Tensor:
        return (torch.rand(count, generator=generator) * 2 - 1) * width

    angle, zoom = draw(math.radians(settings.rotation)), 1 + draw(settings.scale)
    cosine, sine = angle.cos() / zoom, angle.sin() / zoom
    # grid_sample's coordinates run from -1 to 1, so a share of the side counts double.
    across, down = draw(2 * settings.shift), draw(2 * settings.shift)
    moves = torch.stack([cosine, -sine, across, sine, cosine, down], dim=-1).view(count, 2, 3)
    grid = functional.affine_grid(moves, list(pixels.shape), align_corners=False)
    moved = functional.grid_sample(pixels, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    shaded = moved.clamp(min=1e-4) ** draw(settings.gamma).exp().view(-1, 1, 1, 1)
    factor, offset = 1 + draw(settings.contrast), draw(settings.brightness)
    shaded = (shaded - 0.5) * factor.view(-1, 1, 1, 1) + 0.5 + offset.view(-1, 1, 1, 1)
    noise = torch.randn(shaded.shape, generator=generator) * settings.noise
    return (shaded + noise).clamp(0, 1)
