"""Honest variations of a radiograph: what differs between two exposures of one chest, and nothing that changes it.

The patient stands a little turned, shifted, nearer; the tube gives more or less; the detector adds noise, the plate or
its compression blurs, the collimator closes in. None of that changes a finding.

A left-right flip does, and is off unless asked for. The heart lies on the left: a mirrored chest is that of somebody
with situs inversus, which a model should know as the rare thing it is. The sides that a rationale, a label or a box
names would be wrong, and the side marker reads backwards. Where flips are asked for, :class:`.batches.Collator`
refuses texts that name a side. Top and bottom are never exchanged.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional

from kdistill_core.distillation.errors import DistillationError

# The lingula is the left lung's, the middle lobe the right one's.
_SIDE = re.compile(r"\b(?:left|right|lingula\w*|middle[ -]lobe)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Augmentation:
    """How far each variation goes, as the half-width of a uniform draw around nothing; 0 switches it off.

    rotation: degrees; shift: share of the side; scale, contrast: factors' distance from 1; gamma: of its logarithm;
    brightness: in units of the [0, 1] pixels; noise: the same, a standard deviation; blur: largest standard deviation
    of a Gaussian, in pixels; collimation: largest share of the side that is black along an edge, which half of the
    edges are spared; flip: probability of a left-right flip. None of the widths was tuned.
    Raises DistillationError for widths that make no sense.
    """

    rotation: float = 6.0
    shift: float = 0.05
    scale: float = 0.1
    gamma: float = 0.3
    contrast: float = 0.2
    brightness: float = 0.06
    noise: float = 0.015
    blur: float = 0.7
    collimation: float = 0.04
    flip: float = 0.0

    def __post_init__(self) -> None:
        limits = {"rotation": 180.0, "scale": 0.9, "contrast": 1.0, "collimation": 0.45, "flip": 1.0}
        for name in (field.name for field in fields(self)):
            width, limit = getattr(self, name), limits.get(name, math.inf)
            if not 0 <= width <= limit:
                raise DistillationError(
                    f"The augmentation's {name} is {width}.", f"Choose a number from 0 to {limit:g}; 0 switches it off."
                )


def augment(pixels: Tensor, settings: Augmentation, generators: Sequence[torch.Generator]) -> Tensor:
    """Return ``pixels`` float32 [B, 1, S, S] in [0, 1], each image varied by a generator of its own.

    So an image is varied alike, whatever other images are in its batch.
    """
    varied = _blurred(_moved(pixels, settings, generators), settings, generators)
    return _collimated(_exposed(varied, settings, generators), settings, generators)


def names_a_side(texts: Sequence[str]) -> str | None:
    """Return the first of ``texts`` that speaks of left or right, which no longer holds once an image is flipped."""
    return next((text for text in texts if _SIDE.search(text)), None)


def _uniform(generators: Sequence[torch.Generator]) -> Tensor:
    """Return float32 [B], uniform in [0, 1)."""
    return torch.cat([torch.rand(1, generator=generator) for generator in generators])


def _draw(generators: Sequence[torch.Generator], width: float) -> Tensor:
    """Return float32 [B], uniform from -width to width."""
    return (_uniform(generators) * 2 - 1) * width


def _moved(pixels: Tensor, settings: Augmentation, generators: Sequence[torch.Generator]) -> Tensor:
    count = len(pixels)
    angle = _draw(generators, math.radians(settings.rotation))
    zoom = 1 + _draw(generators, settings.scale)
    cosine, sine = angle.cos() / zoom, angle.sin() / zoom
    # grid_sample's coordinates run from -1 to 1, so a share of the side counts double.
    across, down = (_draw(generators, 2 * settings.shift) for _ in range(2))
    mirror = torch.where(_uniform(generators) < settings.flip, -1.0, 1.0)
    moves = torch.stack([mirror * cosine, -mirror * sine, mirror * across, sine, cosine, down], dim=-1)
    grid = functional.affine_grid(moves.view(count, 2, 3), list(pixels.shape), align_corners=False)
    return functional.grid_sample(pixels, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _blurred(pixels: Tensor, settings: Augmentation, generators: Sequence[torch.Generator]) -> Tensor:
    if settings.blur == 0:
        return pixels
    count, radius = len(pixels), math.ceil(3 * settings.blur)
    sigma = _uniform(generators).clamp(min=1e-3) * settings.blur
    offsets = torch.arange(-radius, radius + 1)
    weights = (-(offsets**2) / (2 * sigma[:, None] ** 2)).exp()
    weights = weights / weights.sum(dim=1, keepdim=True)
    # Images become channels, so that each meets its own kernel.
    spread = functional.pad(pixels.transpose(0, 1), (radius,) * 4, mode="replicate")
    spread = functional.conv2d(spread, weights[:, None, None, :], groups=count)
    return functional.conv2d(spread, weights[:, None, :, None], groups=count).transpose(0, 1)


def _exposed(pixels: Tensor, settings: Augmentation, generators: Sequence[torch.Generator]) -> Tensor:
    shaded = pixels.clamp(min=1e-4) ** _draw(generators, settings.gamma).exp().view(-1, 1, 1, 1)
    factor = 1 + _draw(generators, settings.contrast).view(-1, 1, 1, 1)
    shaded = (shaded - 0.5) * factor + 0.5 + _draw(generators, settings.brightness).view(-1, 1, 1, 1)
    each = [torch.randn(shaded.shape[1:], generator=generator) for generator in generators]
    noise = torch.stack(each) * settings.noise
    return (shaded + noise).clamp(0, 1)


def _collimated(pixels: Tensor, settings: Augmentation, generators: Sequence[torch.Generator]) -> Tensor:
    side = pixels.shape[-1]
    left, right, top, bottom = (_draw(generators, settings.collimation).clamp(min=0).view(-1, 1) for _ in range(4))
    at = (torch.arange(side) + 0.5) / side
    columns, rows = (at >= left) & (at < 1 - right), (at >= top) & (at < 1 - bottom)
    return pixels * (rows[:, None, :, None] & columns[:, None, None, :])
