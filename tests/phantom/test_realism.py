"""Phantoms beside real radiographs: gray values, texture, and what the screening for chest radiographs says."""

import numpy as np
import pytest
from PIL import Image

from kdistill_core.phantom import simulate

SIZE = 256


def shown(case) -> np.ndarray:
    values = case.radiograph.pixels / 4095
    return 1 - values if case.radiograph.inverted else values


def slope(picture: np.ndarray, low: int, high: int) -> float:
    """The exponent of the radially averaged power spectrum between two frequencies in cycles per picture."""
    window = np.outer(np.hanning(SIZE), np.hanning(SIZE))
    power = np.abs(np.fft.fftshift(np.fft.fft2((picture - picture.mean()) * window))) ** 2
    row, column = np.indices(power.shape) - SIZE // 2
    radius = np.hypot(row, column).astype(int)
    radial = np.bincount(radius.ravel(), power.ravel()) / np.bincount(radius.ravel())
    return float(np.polyfit(np.log(np.arange(low, high)), np.log(radial[low:high]), 1)[0])


@pytest.fixture(scope="module")
def phantoms() -> list[np.ndarray]:
    return [shown(simulate(seed, SIZE, SIZE)) for seed in range(1000, 1036)]


@pytest.fixture(scope="module")
def radiographs(shared_data) -> list[np.ndarray]:
    files = sorted((shared_data / "images" / "nih" / "512").glob("*.jpg"))[::17][:75]
    if not files:
        pytest.skip("no NIH radiographs of 512 pixels")
    resized = [Image.open(file).convert("L").resize((SIZE, SIZE), Image.Resampling.LANCZOS) for file in files]
    return [np.asarray(picture, np.float64) / 255 for picture in resized]


@pytest.mark.real_data
def test_gray_values_are_those_of_real_radiographs(phantoms, radiographs):
    inner = slice(24, -24)
    levels = [
        np.median([np.percentile(p[inner, inner], [10, 25, 50, 75, 90]) for p in group], axis=0)
        for group in (phantoms, radiographs)
    ]
    np.testing.assert_allclose(levels[0], levels[1], atol=0.09)


@pytest.mark.real_data
@pytest.mark.parametrize("band", [(3, 20), (20, 80)])
def test_power_spectra_fall_as_those_of_real_radiographs(phantoms, radiographs, band):
    slopes = [np.median([slope(p, *band) for p in group]) for group in (phantoms, radiographs)]
    assert slopes[0] == pytest.approx(slopes[1], abs=0.35)


@pytest.mark.real_data
def test_the_mediastinum_stands_out_from_the_lung_as_in_real_radiographs(phantoms, radiographs):
    lung, middle = (slice(76, 128), slice(62, 92)), (slice(116, 166), slice(118, 144))
    ratios = [
        np.median([np.median(p[middle]) / np.median(p[lung]) for p in group]) for group in (phantoms, radiographs)
    ]
    assert ratios[0] == pytest.approx(ratios[1], rel=0.3)


def test_the_screening_takes_phantoms_for_chest_radiographs():
    from kdistill_core.imaging.screening import screen

    refused = [seed for seed in range(40) if screen(simulate(seed, 160, 160).radiograph) is not None]
    assert not refused
