"""How fast the canvas paints: a 3000 x 2500 radiograph with an overlay, in a 1600 x 1200 window.

Run on one core:  QT_QPA_PLATFORM=offscreen taskset -c 0 .venv/bin/python tests/benchmarks/bench_canvas.py

Targets: a repaint at fit zoom within 16 ms, a window drag at 20 frames a second or more. Processor time is what a
free core would take; wall time says how busy the machine was besides.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PySide6.QtCore import QPoint
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from kdistill_core.conditions import Condition
from kdistill_core.records import (
    ImageSource,
    Patient,
    Radiograph,
    SaliencyMap,
    SaliencyTarget,
    TargetKind,
    Window,
)
from kdistill_viewer.canvas import ImageCanvas, OverlayStyle
from kdistill_viewer.theme import apply_theme


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--columns", type=int, default=2500)
    parser.add_argument("--width", type=int, default=1600)
    parser.add_argument("--height", type=int, default=1200)
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()

    app = QApplication.instance() or QApplication([])
    apply_theme(app)
    canvas = ImageCanvas()
    canvas.resize(arguments.width, arguments.height)
    canvas.show()
    target = QImage(canvas.size(), QImage.Format.Format_RGB32)
    radiograph = _radiograph(arguments.rows, arguments.columns)
    saliency = _saliency(arguments.rows, arguments.columns)

    def paint() -> None:
        canvas.render(target, QPoint())

    def show(name: str, step: Callable[[int], None], repeats: int = arguments.repeats) -> None:
        wall, processor = [], []
        for index in range(repeats):
            start, start_processor = time.perf_counter(), time.process_time()
            step(index)
            paint()
            wall.append((time.perf_counter() - start) * 1000)
            processor.append((time.process_time() - start_processor) * 1000)
        middle = float(np.median(processor))
        print(
            f"{name:38s} processor {middle:6.1f} ms, worst {max(processor):6.1f}; wall {np.median(wall):6.1f} ms; "
            f"{1000 / middle:4.0f} per second on a free core"
        )

    print(f"{arguments.columns} x {arguments.rows} pixels in {arguments.width} x {arguments.height}")
    show("open and first paint", lambda _: canvas.show_radiograph(radiograph), 3)
    window = canvas.window()
    assert window is not None
    show("overlay set, first paint with it", lambda _: canvas.set_overlay(saliency), 3)
    for zoom_name, zoom in (("fit", canvas.fit), ("1:1", canvas.actual_size), ("5x", lambda: canvas.zoom_by(5))):
        zoom()
        paint()
        show(f"{zoom_name}: repaint, nothing changed", lambda _: canvas.update())
        show(f"{zoom_name}: window drag with overlay", lambda i: canvas.set_window(_shifted(window, i)))
        show(f"{zoom_name}: pan with overlay", lambda i: canvas.pan_by(3, 2))
        show(
            f"{zoom_name}: opacity slider",
            lambda i: canvas.set_overlay_style(OverlayStyle(opacity=0.3 + 0.01 * (i % 50))),
        )
    canvas.fit()
    show("zoom by wheel steps with overlay", lambda i: canvas.zoom_by(1.2 if i % 20 < 10 else 1 / 1.2))


def _radiograph(rows: int, columns: int) -> Radiograph:
    random = np.random.default_rng(0)
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    pixels = 2000 + 1500 * np.sin(x / 300) * np.cos(y / 400) + random.normal(0, 30, (rows, columns))
    return Radiograph(
        np.asarray(pixels, np.float32),
        ImageSource("benchmark"),
        "",
        patient=Patient(id="BENCH-1", name="Bench^Mark", sex="O", age="050Y"),
        view_position="PA",
        modality="DX",
        study_date="20240101",
    )


def _saliency(rows: int, columns: int) -> SaliencyMap:
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    values = np.exp(-(((x / columns - 0.3) / 0.2) ** 2) - ((y / rows - 0.7) / 0.2) ** 2)
    return SaliencyMap(
        values / values.max(),
        SaliencyTarget(TargetKind.CONDITION, Condition.PLEURAL_EFFUSION),
        "Grad-CAM",
        (columns * 0.3, rows * 0.7),
    )


def _shifted(window: Window, index: int) -> Window:
    return Window(window.center + index + 1, window.width + 3 * index, function=window.function)


if __name__ == "__main__":
    main()
