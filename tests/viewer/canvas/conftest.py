"""Radiographs and maps made up for the canvas's tests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kdistill_core.conditions import Condition
from kdistill_core.records import (
    ImageSource,
    Patient,
    Radiograph,
    SaliencyMap,
    SaliencyTarget,
    TargetKind,
)
from kdistill_viewer.canvas import ImageCanvas


@pytest.fixture
def make_radiograph() -> Callable[..., Radiograph]:
    def make(rows: int = 240, columns: int = 200, **fields) -> Radiograph:
        pixels = fields.pop("pixels", None)
        if pixels is None:
            pixels = np.random.default_rng(7).integers(0, 4096, (rows, columns)).astype(np.float32)
        described = {
            "patient": Patient(id="P-17", name="Doe^Jane", sex="F", age="057Y"),
            "view_position": "PA",
            "modality": "DX",
            "study_date": "20240131",
        }
        return Radiograph(pixels, ImageSource("made-up.dcm"), "", **{**described, **fields})

    return make


@pytest.fixture
def make_map() -> Callable[..., SaliencyMap]:
    def make(rows: int, columns: int, row: int, column: int) -> SaliencyMap:
        values = np.zeros((rows, columns), np.float32)
        values[row, column] = 1
        target = SaliencyTarget(TargetKind.CONDITION, Condition.PLEURAL_EFFUSION)
        return SaliencyMap(values, target, "Grad-CAM", (float(column), float(row)))

    return make


@pytest.fixture
def canvas(qtbot) -> ImageCanvas:
    widget = ImageCanvas()
    qtbot.addWidget(widget)
    widget.resize(500, 400)
    return widget
