from __future__ import annotations

import pytest

from kdistill_core.conditions import Condition
from kdistill_core.records import (
    ImageSource,
    SaliencyTarget,
    Spacing,
    SpacingSource,
    Span,
    TargetKind,
    Window,
)
from kdistill_viewer.canvas.annotations import (
    ScaleBar,
    acquisition_lines,
    display_lines,
    overlay_lines,
    scale_bar,
)


@pytest.fixture(autouse=True)
def nothing_left_behind() -> None:
    """Replace the watch for widgets, timers and threads: none is made here, and it would cost more than the tests."""


def test_frame_is_named_where_there_are_several(make_radiograph):
    assert acquisition_lines(make_radiograph()) == ("PA", "DX")
    radiograph = make_radiograph(view_position="", modality="", frames=5)
    assert acquisition_lines(radiograph) == ("view not stated", "modality not stated", "frame 1 of 5")
    assert radiograph.source == ImageSource("made-up.dcm", frame=0)


def test_display_state_names_inversion_window_and_zoom():
    assert display_lines(1.0, Window(2048, 4096), inverted=False) == ("W 4096  C 2048", "Zoom 100 %")
    assert display_lines(0.0345, Window(0.5, 0.25), inverted=True) == ("Inverted", "W 0.25  C 0.5", "Zoom 3.5 %")


def test_scale_bar_names_its_unit_honestly():
    # 0.2 mm a pixel at zoom 0.5: a millimeter is 2.5 screen pixels, so 50 mm are 125.
    calibrated = Spacing(0.2, 0.2, SpacingSource.CALIBRATED)
    assert scale_bar(calibrated, 0.5, 200) == ScaleBar(125.0, "50 mm")
    assert scale_bar(Spacing(0.2, 0.2, SpacingSource.DETECTOR), 0.5, 200) == ScaleBar(125.0, "50 mm (detector)")
    assert scale_bar(Spacing(), 0.5, 200) == ScaleBar(100.0, "200 px")


def test_scale_bar_changes_with_the_zoom_and_stays_within_its_room():
    spacing = Spacing(0.15, 0.15, SpacingSource.CALIBRATED)
    for zoom in (0.05, 0.1, 0.33, 1.0, 2.0, 7.7, 64.0):
        bar = scale_bar(spacing, zoom, 180)
        number = float(bar.label.removesuffix(" mm"))
        assert bar.length == pytest.approx(number / 0.15 * zoom)
        assert 180 / 2.5 <= bar.length <= 180
        assert f"{number:e}"[0] in "125"


def test_scale_bar_in_pixels_never_claims_less_than_one():
    assert scale_bar(Spacing(), 64.0, 70) == ScaleBar(64.0, "1 px")
    assert scale_bar(Spacing(), 64.0, 60) is None


def test_claimed_source_without_a_number_counts_as_pixels():
    assert scale_bar(Spacing(None, None, SpacingSource.CALIBRATED), 1.0, 100) == ScaleBar(100.0, "100 px")


def test_overlay_says_method_target_and_what_its_colors_mean(make_map):
    saliency = make_map(10, 10, 3, 4)
    relative = "relative to the map's own maximum"
    assert overlay_lines(saliency) == ("Grad-CAM", "Pleural Effusion", relative)
    word = SaliencyTarget(TargetKind.WORD, Condition.EDEMA, Span(3, 8))
    other = type(saliency)(saliency.values, word, "integrated_gradients", saliency.peak)
    assert overlay_lines(other) == ("Integrated gradients", "a word of the rationale, Edema", relative)
    assert overlay_lines(other, 'word "hazy"')[1] == 'word "hazy"'


def test_overlay_says_what_has_to_be_said_of_its_map(make_map):
    saliency = make_map(10, 10, 3, 4)
    noted = type(saliency)(
        saliency.values, saliency.target, saliency.method, saliency.peak, note="Nothing in the image spoke for it."
    )
    assert overlay_lines(noted) == (*overlay_lines(saliency), "Nothing in the image spoke for it.")
