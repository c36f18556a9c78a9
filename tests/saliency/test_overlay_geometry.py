"""Overlays are where they should be: a student that sees bright blobs, blobs in known corners, every method."""

import numpy as np
import pytest
import torch

from kdistill_core.records import TargetKind
from kdistill_core.saliency import ConditionTarget, TextTarget, attribute, methods_for, place_on_image

SHAPES = {"portrait": (330, 210), "landscape": (200, 340), "square": (256, 256)}
CORNERS = {"top left": (0.2, 0.2), "top right": (0.8, 0.2), "bottom left": (0.2, 0.8), "bottom right": (0.8, 0.8)}
CASES = [(*SHAPES[shape], *CORNERS[corner]) for shape in SHAPES for corner in CORNERS]
NAMES = [f"{shape} {corner}" for shape in SHAPES for corner in CORNERS]


def assert_on_lesion(peak, center, radius):
    distance = np.hypot(peak[0] - center[0], peak[1] - center[1])
    assert distance <= radius, f"the peak is {distance:.0f} pixels from a lesion of radius {radius}"


def word_that_tells_of(student, pixels):
    """The word that the blob makes more likely, both as it brightens further and compared with no blob."""
    model, processor = student
    start = processor(text="")["input_ids"]
    with torch.no_grad():
        seen, dimmed, gray = (
            model(pixel_values=pixels * factor, input_ids=start).logits[0, -1].log_softmax(-1)
            for factor in (1.0, 0.99, 0.0)
        )
    word = torch.minimum((seen - dimmed) / 0.01, seen - gray).argmax()
    return TextTarget(torch.cat([start[0], word[None]]), (start.shape[1],))


def overlay(student, radiograph, method, kind, turn=lambda grid: grid):
    """Return the placed overlay of the blob; ``turn`` can spoil the map on purpose."""
    model, processor = student
    square = processor.model_input(radiograph)
    pixels = processor.pixel_values(square.pixels[None])
    target = ConditionTarget(3) if kind is TargetKind.CONDITION else word_that_tells_of(student, pixels)
    grid = attribute(model, pixels, target, method)
    return place_on_image(
        turn(grid), processor.image_size, square.image_to_model, (radiograph.rows, radiograph.columns)
    )


def blob(make_blob, rows, columns, x, y):
    center, radius = (x * columns, y * rows), 0.09 * max(rows, columns)
    return make_blob(rows, columns, center, radius), center, radius


@pytest.mark.parametrize(("rows", "columns", "x", "y"), CASES, ids=NAMES)
@pytest.mark.parametrize("kind", [TargetKind.CONDITION, TargetKind.WORD])
def test_the_peak_of_every_method_lies_on_the_lesion(blob_student, make_blob, kind, rows, columns, x, y):
    radiograph, center, radius = blob(make_blob, rows, columns, x, y)
    for method in methods_for(kind):
        placed = overlay(blob_student, radiograph, method, kind)
        assert placed.values.shape == (rows, columns)
        assert placed.values.max() == 1.0
        assert_on_lesion(placed.peak, center, radius)
        hot = placed.values > 0.5
        assert hot.sum() < 0.15 * hot.size, "the overlay is spread over the picture"


@pytest.mark.parametrize(
    "turn",
    [lambda grid: grid[:, ::-1], lambda grid: grid[::-1], lambda grid: grid.T, lambda grid: np.roll(grid, 3, axis=1)],
    ids=["mirrored", "upside down", "transposed", "shifted"],
)
@pytest.mark.parametrize("shape", SHAPES)
def test_an_overlay_that_is_turned_on_purpose_misses_the_lesion(blob_student, make_blob, shape, turn):
    # Off the diagonal, so that a transposed map cannot hit by chance.
    radiograph, center, radius = blob(make_blob, *SHAPES[shape], 0.2, 0.75)
    straight = overlay(blob_student, radiograph, "grad_cam", TargetKind.CONDITION)
    assert_on_lesion(straight.peak, center, radius)
    turned = overlay(
        blob_student, radiograph, "grad_cam", TargetKind.CONDITION, turn=lambda grid: np.ascontiguousarray(turn(grid))
    )
    with pytest.raises(AssertionError, match="pixels from a lesion"):
        assert_on_lesion(turned.peak, center, radius)
