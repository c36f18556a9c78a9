"""Variations that change the picture and not the chest."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from kdistill_core.distillation.augmentation import Augmentation, augment, names_a_side
from kdistill_core.distillation.errors import DistillationError

STILL = Augmentation(**{field.name: 0.0 for field in fields(Augmentation)})


def varied(pictures: torch.Tensor, settings: Augmentation, seed: int = 0) -> torch.Tensor:
    return augment(pictures, settings, [torch.Generator().manual_seed(seed + place) for place in range(len(pictures))])


def smooth(count: int = 1, side: int = 48) -> torch.Tensor:
    noise = np.random.default_rng(3).random((count, 1, side, side))
    blurred = ndimage.gaussian_filter(noise, (0, 0, 3, 3), mode="wrap")
    low, high = blurred.min(), blurred.max()
    return torch.from_numpy(((blurred - low) / (high - low) * 0.8 + 0.1).astype(np.float32))


def test_nothing_changes_at_zero_strength() -> None:
    pictures = torch.rand(3, 1, 16, 16).clamp(min=0.01)
    assert torch.allclose(varied(pictures, STILL), pictures, atol=1e-5)


def test_sides_are_never_swapped_unless_a_flip_is_asked_for() -> None:
    pictures = torch.zeros(64, 1, 32, 32)
    pictures[:, :, 8:24, 4:12] = 0.9  # bright on the left
    shown = varied(pictures, Augmentation())
    assert (shown[..., :16].mean((1, 2, 3)) > shown[..., 16:].mean((1, 2, 3))).all()
    assert torch.allclose(varied(pictures, replace(STILL, flip=1.0)), pictures.flip(-1), atol=1e-4)


def test_a_flip_comes_as_often_as_asked_for_and_keeps_top_and_bottom() -> None:
    pictures = torch.zeros(2000, 1, 8, 8)
    pictures[:, :, :4, :4] = 0.9
    shown = varied(pictures, replace(STILL, flip=0.25))
    flipped = shown[..., :4, 4:].mean((1, 2, 3)) > 0.5
    three_sigma = 3 * (0.25 * 0.75 / 2000) ** 0.5
    assert float(flipped.float().mean()) == pytest.approx(0.25, abs=three_sigma)
    assert shown[..., 4:, :].max() < 0.01


def test_a_flipped_image_is_mirrored_before_it_is_moved() -> None:
    settings = Augmentation(noise=0, collimation=0)
    pictures = smooth(4)
    mirrored = varied(pictures, replace(settings, flip=1.0))
    assert torch.allclose(mirrored, varied(pictures.flip(-1), settings), atol=1e-4)


def test_the_same_generator_gives_the_same_pictures_and_each_picture_its_own_draw() -> None:
    pictures = smooth().expand(8, -1, -1, -1)
    first, again, other = (varied(pictures, Augmentation(), seed) for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len({round(float(value), 5) for value in first.mean((1, 2, 3))}) == 8
    assert first.min() >= 0
    assert first.max() <= 1


def test_rotation_shift_and_scale_stay_within_their_widths() -> None:
    pictures = torch.zeros(500, 1, 65, 65)
    pictures[:, :, 32, 32] = pictures[:, :, 32, 52] = 1.0  # a center and a point 20 pixels to the right of it
    for name, width in (("rotation", 10.0), ("shift", 0.1), ("scale", 0.2)):
        shown = varied(pictures, replace(STILL, **{name: width})).double()
        shown[shown < 1e-3] = 0  # gamma lifts black a little
        centers, points = _center_of(shown[..., :43]), _center_of(shown[..., 43:]) + torch.tensor([43, 0])
        match name:
            case "rotation":
                arms = points - centers
                measured = torch.rad2deg(torch.atan2(arms[:, 1], arms[:, 0]))
            case "shift":
                measured = (centers[:, 0] - 32) / 65
            case _:
                measured = (points - centers).norm(dim=1) / 20 - 1
        assert measured.abs().max() <= width * 1.05
        assert measured.abs().max() >= width * 0.9
        assert abs(float(measured.mean())) < width * 0.12  # to either side alike


def _center_of(pictures: torch.Tensor) -> torch.Tensor:
    weights = pictures[:, 0] / pictures[:, 0].sum((1, 2), keepdim=True)
    across = (weights.sum(1) * torch.arange(pictures.shape[-1])).sum(1)
    down = (weights.sum(2) * torch.arange(pictures.shape[-2])).sum(1)
    return torch.stack([across, down], dim=1)


def test_blur_is_a_gaussians() -> None:
    pictures = smooth()
    settings = replace(STILL, blur=1.5)
    sigma = float(torch.rand(4, generator=_after_moving())[0]) * 1.5
    expected = ndimage.gaussian_filter(pictures[0, 0].numpy(), sigma, mode="nearest", radius=5)
    assert np.abs(varied(pictures, settings)[0, 0].numpy() - expected).max() < 1e-4


def _after_moving() -> torch.Generator:
    """The generator of seed 0 as it is when one image has been moved: five draws of one number each."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        torch.rand(1, generator=generator)
    return generator


def test_noise_has_the_standard_deviation_asked_for() -> None:
    gray = torch.full((4, 1, 128, 128), 0.5)
    difference = varied(gray, replace(STILL, noise=0.02)) - gray
    assert float(difference.std()) == pytest.approx(0.02, rel=0.02)
    assert abs(float(difference.mean())) < 0.001


def test_exposure_keeps_the_order_of_gray_values() -> None:
    ramp = torch.linspace(0.05, 0.95, 32).expand(16, 1, 32, 32)
    shown = varied(ramp, replace(STILL, gamma=0.3, contrast=0.2, brightness=0.06))
    assert (shown.diff(dim=-1) >= 0).all()
    assert shown.mean((1, 2, 3)).std() > 0.01


def test_collimation_blackens_borders_and_spares_half_of_them() -> None:
    white = torch.ones(1000, 1, 50, 50)
    shown = varied(white, replace(STILL, collimation=0.1))
    assert (shown[..., 5:45, 5:45] > 0.99).all()
    for edge in (shown[:, 0, 25, 0], shown[:, 0, 25, -1], shown[:, 0, 0, 25], shown[:, 0, -1, 25]):
        assert 0.38 < float((edge == 0).float().mean()) < 0.53  # less than a pixel is nothing
    assert set(shown.round(decimals=5).unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("A small LEFT effusion.", True),
        ("The right hemidiaphragm is raised.", True),
        ("Opacity in the lingula.", True),
        ("Collapse of the middle lobe.", True),
        ("Bilateral effusions, upright film.", False),
        ("The cleft is bright.", False),
    ],
)
def test_sides_are_found_in_texts(text: str, *, named: bool) -> None:
    assert names_a_side(["There is edema.", text]) == (text if named else None)


@pytest.mark.parametrize(("name", "width"), [("shift", -0.1), ("flip", 1.2), ("collimation", 0.5), ("noise", np.nan)])
def test_impossible_widths_are_refused(name: str, width: float) -> None:
    with pytest.raises(DistillationError, match=name):
        replace(STILL, **{name: width})
