"""Projection and physics against closed forms and scipy."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from kdistill_core.phantom.bands import Cloud, add_tube, hollow_chord
from kdistill_core.phantom.grid import blur, lattice_noise, make_grid, smooth_curve, splat
from kdistill_core.phantom.physics import SPECTRUM, add_noise, add_scatter, open_field, transmitted
from kdistill_core.phantom.solids import chord


def slab(millimeters: float) -> np.ndarray:
    return np.full((4, 5), millimeters, np.float32)


def test_a_water_slab_transmits_as_beer_and_lambert_say():
    # Three energies of a 100 mm slab, worked by hand: .22 exp(-2.683) + .46 exp(-2.059) + .32 exp(-1.837).
    expected = 0.22 * 0.068358 + 0.46 * 0.127581 + 0.32 * 0.159295
    np.testing.assert_allclose(transmitted(slab(100), slab(0), slab(0)), expected, rtol=1e-4)


def test_nothing_in_the_beam_transmits_everything():
    np.testing.assert_allclose(transmitted(slab(0), slab(0), slab(0)), sum(SPECTRUM))
    assert sum(SPECTRUM) == pytest.approx(1)


def test_the_beam_hardens_with_depth():
    thin, thick = (-np.log(transmitted(slab(t), slab(0), slab(0))[0, 0]) / t for t in (10.0, 250.0))
    assert 0.01837 < thick < thin < 0.02683  # between the coefficients at 80 and at 40 keV


def test_bone_and_metal_absorb_more_than_water():
    water, bone, metal = (transmitted(*(slab(5.0 * (i == part)) for i in range(3)))[0, 0] for part in range(3))
    assert water > bone > metal


def test_scatter_fills_the_shadow_of_a_dense_part():
    water = np.full((64, 64), 60, np.float32)
    water[24:40, 24:40] = 260
    primary = transmitted(water, water * 0, water * 0)
    total = add_scatter(primary, water, 4.0, 0.8)
    assert total[32, 32] / primary[32, 32] > 2 * total[4, 4] / primary[4, 4]


def test_quantum_noise_follows_the_square_root_of_the_dose():
    grid = make_grid(200, 200, 400, (0, 0))
    deviations = []
    for level in (0.05, 0.2):
        flat = np.full(grid.shape, level, np.float32)
        noisy = add_noise(flat, grid, 1e5, 0.2, np.random.default_rng(1))
        deviations.append(float(noisy.std()))
    assert deviations[1] / deviations[0] == pytest.approx(2.0, rel=0.03)


def test_the_collimator_lets_the_named_margins_go_dark():
    grid = make_grid(100, 200, 300, (0, 0))
    opened = open_field(grid, (0.1, 0.0, 0.0, 0.2))
    assert opened[2, 50] < 0.01
    assert opened[50, 195] < 0.01
    assert opened[98, 2] == pytest.approx(1.0)


def test_splatting_keeps_volume_and_center_of_mass():
    grid = make_grid(50, 70, 118, (3.0, -2.0))
    rng = np.random.default_rng(3)
    x, y, volume = rng.uniform(-20, 25, 400), rng.uniform(-20, 15, 400), rng.uniform(0.5, 2, 400)
    thickness = splat(grid, x, y, volume)
    assert thickness.sum() * grid.pitch_mm**2 == pytest.approx(volume.sum(), rel=1e-5)
    weight = thickness / thickness.sum()
    assert (weight * grid.x).sum() == pytest.approx((x * volume).sum() / volume.sum(), abs=1e-3)
    assert (weight * grid.y).sum() == pytest.approx((y * volume).sum() / volume.sum(), abs=1e-3)


@pytest.mark.parametrize("size", [96, 400])
def test_a_solid_tube_weighs_the_same_at_every_resolution(size):
    grid = make_grid(size, size, 200, (0, 0))
    line = np.stack([np.linspace(-60, 60, 800), np.zeros(800)], axis=1)
    cloud = Cloud(grid)
    add_tube(cloud, line, 6.0)
    volume = cloud.map().sum() * grid.pitch_mm**2
    assert volume == pytest.approx(np.pi * 36 * 120, rel=0.01)


def test_a_solid_tube_is_as_thick_as_its_diameter_in_the_middle():
    grid = make_grid(400, 400, 200, (0, 0))
    cloud = Cloud(grid)
    add_tube(cloud, np.stack([np.linspace(-80, 80, 1200), np.zeros(1200)], axis=1), 10.0)
    assert cloud.map()[199:201, 150:250].mean() == pytest.approx(20.0, rel=0.03)


def test_a_hollow_tube_is_densest_at_its_walls():
    across = np.linspace(-0.95, 0.95, 39)
    chords = hollow_chord(across, 0.2, 0.0)
    assert chords[19] == pytest.approx(0.2)  # two walls of 0.2 of a chord of 2, relative to 1
    assert chords[np.abs(across).argsort()[-10:]].max() > 2 * chords[19]


def test_an_elliptic_solid_has_the_area_of_an_ellipse():
    x = np.linspace(-60, 60, 2401, dtype=np.float32)[None, :]
    low, high = np.array([[-40.0]], np.float32), np.array([[40.0]], np.float32)
    section = chord(x, low, high, 30.0)
    assert float(section.sum() * 0.05) == pytest.approx(np.pi * 40 * 15, rel=1e-3)


def test_the_spline_passes_its_controls():
    controls = np.array([[0.0, 1.0], [2.0, -1.0], [3.0, 4.0], [7.0, 0.5]])
    np.testing.assert_allclose(smooth_curve(controls, 31)[::10], controls, atol=1e-9)


@pytest.mark.parametrize("sigma", [0.6, 2.0, 5.0])
def test_blur_agrees_with_scipy_away_from_the_border(sigma):
    values = np.random.default_rng(0).random((90, 70)).astype(np.float32)
    inner = (slice(22, -22), slice(22, -22))
    np.testing.assert_allclose(blur(values, sigma)[inner], gaussian_filter(values, sigma)[inner], atol=2e-3)


def test_wide_blur_keeps_the_mean_and_the_place_of_a_spot():
    spot = np.zeros((160, 160), np.float32)
    spot[90, 60] = 1000
    wide = blur(spot, 14.0)
    assert wide.sum() == pytest.approx(1000, rel=0.02)
    row, column = np.unravel_index(wide.argmax(), wide.shape)
    assert abs(int(row) - 90) <= 3
    assert abs(int(column) - 60) <= 3


def test_lattice_noise_has_unit_variance_and_is_the_same_at_every_resolution():
    coarse, fine = make_grid(100, 100, 400, (0, 0)), make_grid(300, 300, 400, (0, 0))
    first = lattice_noise(coarse, np.random.default_rng(5), 12.0)
    second = lattice_noise(fine, np.random.default_rng(5), 12.0)
    assert first.std() == pytest.approx(1.0, abs=0.08)
    assert np.corrcoef(first.ravel(), second[1::3, 1::3].ravel())[0, 1] > 0.999
