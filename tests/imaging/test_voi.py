"""Window functions against numbers worked by hand from DICOM PS3.3 C.11.2 and against pydicom's own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_windowing

from kdistill_core.imaging.voi import apply_lut, apply_window, lut_window
from kdistill_core.records import VoiFunction, VoiLut, Window

LINEAR, EXACT, SIGMOID = VoiFunction.LINEAR, VoiFunction.LINEAR_EXACT, VoiFunction.SIGMOID

# The examples of C.11.2.1.2.1 and C.11.2.1.3.2, evaluated with a pocket calculator for an output of 0 to 255.
BY_HAND = [
    (LINEAR, 2048, 4096, {0: 0.0, 1: 255 / 4095, 2048: 127.53114, 4095: 255.0, 5000: 255.0}),
    (LINEAR, 2048, 1, {2047: 0.0, 2048: 255.0}),
    (LINEAR, 0, 100, {-50: 0.0, -49: 2.575758, 0: 128.787879, 49: 255.0, 50: 255.0}),
    (LINEAR, 0, 1, {-1: 0.0, 0: 255.0}),
    (EXACT, 2048, 4096, {0: 0.0, 1024: 63.75, 2048: 127.5, 4096: 255.0}),
    (EXACT, 0, 100, {-50: 0.0, 0: 127.5, 25: 191.25, 50: 255.0}),
    # 255 / (1 + e^(-4 (x - c) / w)): at the center a half, a quarter width above it 255 / (1 + 1/e).
    (SIGMOID, 2048, 4096, {2048: 127.5, 3072: 186.419906, 1024: 68.580094, 0: 30.396658}),
    (SIGMOID, 0, 1, {0: 127.5, 1000: 255.0, -1000: 0.0}),
]


@pytest.mark.parametrize(("function", "center", "width", "expected"), BY_HAND)
def test_window_functions_give_the_numbers_of_the_standard(function, center, width, expected):
    values = np.array(list(expected), dtype=np.float32)
    shown = apply_window(values, Window(center, width, function=function))
    np.testing.assert_allclose(shown, list(expected.values()), atol=2e-4)


@given(
    center=st.floats(-5000, 5000),
    width=st.floats(1.5, 10000),
    function=st.sampled_from(list(VoiFunction)),
    values=st.lists(st.integers(-32768, 65535), min_size=1, max_size=20),
)
def test_window_functions_agree_with_pydicom(center, width, function, values):
    # DS holds 16 characters, so both sides get the rounded number.
    center, width = round(center, 3), round(width, 3)
    dataset = Dataset()
    dataset.WindowCenter, dataset.WindowWidth, dataset.VOILUTFunction = center, width, function.value
    dataset.BitsStored, dataset.PixelRepresentation, dataset.PhotometricInterpretation = 16, 0, "MONOCHROME2"
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, 0
    # pydicom's output spans the stored values, 0 to 65535, ours 0 to 255.
    with np.errstate(over="ignore"):  # its sigmoid overflows on the way to 0
        theirs = apply_windowing(np.array(values, dtype=np.float64), dataset) / 65535 * 255
    ours = apply_window(np.array(values, dtype=np.float32), Window(center, width, function=function))
    np.testing.assert_allclose(ours, theirs, atol=0.02 + 255 * 0.01 / width)


@given(center=st.floats(-1e4, 1e4), width=st.floats(1, 1e5), function=st.sampled_from(list(VoiFunction)))
def test_brighter_values_never_look_darker(center, width, function):
    values = np.linspace(-4e4, 7e4, 501, dtype=np.float32)
    shown = apply_window(values, Window(center, width, function=function))
    assert (np.diff(shown) >= -1e-3).all()
    assert shown.min() >= 0
    assert shown.max() <= 255


def test_lut_maps_its_domain_entry_by_entry_and_holds_its_ends():
    lut = VoiLut(first_mapped=-2, values=np.array([0, 100, 300, 1023], dtype=np.uint16), bits=10)
    shown = apply_lut(np.array([-50, -2, -1, 0, 1, 50], dtype=np.float32), lut, lut_window(lut, 0))
    np.testing.assert_allclose(shown, np.array([0, 0, 100, 300, 1023, 1023]) * 255 / 1023, rtol=1e-6)


def test_a_wider_window_stretches_the_curve_of_a_lut():
    lut = VoiLut(first_mapped=0, values=np.arange(256, dtype=np.uint16), bits=8)
    given_window = lut_window(lut, 0)
    wider = Window(given_window.center, given_window.width * 2, voi_lut=0)
    middle = np.array([given_window.center], dtype=np.float32)
    assert math.isclose(apply_lut(middle, lut, wider)[0], apply_lut(middle, lut, given_window)[0], abs_tol=1)
    assert apply_lut(np.array([0], dtype=np.float32), lut, wider)[0] == pytest.approx(64, abs=1)
