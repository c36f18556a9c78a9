from __future__ import annotations

import dataclasses
import subprocess
import sys

import matplotlib
import numpy as np
import pytest

from kdistill_viewer.canvas.color_maps import COLOR_MAPS, color_table
from kdistill_viewer.canvas.overlay import (
    CanvasError,
    OverlayStyle,
    alphas,
    bar_colors,
    overlay_palette,
    overlay_steps,
)


@pytest.fixture(autouse=True)
def nothing_left_behind() -> None:
    """Replace the watch for widgets, timers and threads: none is made here, and it would cost more than the tests."""


@pytest.mark.parametrize("name", COLOR_MAPS)
def test_color_tables_are_those_of_matplotlib(name):
    expected = matplotlib.colormaps[name](np.arange(256), bytes=True)[:, :3]
    np.testing.assert_array_equal(color_table(name), expected)


def test_alpha_grows_in_proportion_above_the_threshold():
    alpha = alphas(OverlayStyle(opacity=0.8, threshold=0.2))
    steps = np.arange(256) / 255
    assert not alpha[steps <= 0.2].any()
    assert alpha[255] == pytest.approx(0.8)
    assert alpha[153] == pytest.approx(0.4)  # 153 / 255 = 0.6, halfway from 0.2 to 1


def test_palette_is_premultiplied_color_with_alpha():
    style = OverlayStyle(opacity=0.5, threshold=0.0, color_map="viridis")
    palette = overlay_palette(style)
    red, green, blue = matplotlib.colormaps["viridis"](1.0)[:3]
    channels = [int(palette[255]) >> shift & 255 for shift in (24, 16, 8, 0)]
    assert channels == pytest.approx([127.5, red * 127.5, green * 127.5, blue * 127.5], abs=1)
    assert palette[0] == 0


def test_threshold_of_one_and_opacity_of_zero_show_nothing():
    assert not overlay_palette(OverlayStyle(threshold=1.0)).any()
    assert not overlay_palette(OverlayStyle(opacity=0.0)).any()


def test_color_bar_runs_from_one_at_the_top_and_is_empty_up_to_the_threshold():
    bar = bar_colors(OverlayStyle(threshold=0.5, color_map="magma"))[:, 0]
    assert bar[0] & 0xFFFFFF == int("".join(f"{c:02x}" for c in color_table("magma")[255]), 16)
    assert (bar[:127] >> 24 == 255).all()
    assert not bar[129:].any()


@pytest.mark.parametrize(
    "wrong", [{"opacity": 1.1}, {"opacity": float("nan")}, {"threshold": -0.1}, {"color_map": "jet"}]
)
def test_impossible_styles_are_refused(wrong):
    with pytest.raises(CanvasError):
        OverlayStyle(**wrong)


def test_map_of_another_image_is_refused(make_radiograph, make_map):
    with pytest.raises(CanvasError, match="made for another image"):
        overlay_steps(make_map(240, 201, 3, 4), make_radiograph(240, 200))


@pytest.mark.parametrize("value", [-0.01, 1.01, np.nan, np.inf])
def test_map_outside_zero_to_one_is_refused(make_radiograph, make_map, value):
    saliency = make_map(240, 200, 3, 4)
    values = saliency.values.copy()
    values[7, 7] = value
    with pytest.raises(CanvasError, match="outside 0 to 1"):
        overlay_steps(dataclasses.replace(saliency, values=values), make_radiograph(240, 200))


def test_canvas_loads_no_plotting_learning_or_svg_library():
    heavy = "{'matplotlib', 'torch', 'pydicom', 'SimpleITK', 'PIL', 'scipy', 'PySide6.QtSvg'}"
    code = f"import sys, kdistill_viewer.canvas, kdistill_viewer.theme; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
