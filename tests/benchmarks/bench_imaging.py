"""How long the viewer waits for a picture: rendering, windows, model input, overlay.

python tests/benchmarks/bench_imaging.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from kdistill_core.imaging import display, model_input
from kdistill_core.records import ImageSource, Radiograph, VoiFunction, VoiLut, Window

ROWS, COLUMNS = 3000, 2500


def milliseconds(work: Callable[[], object], repeats: int = 9) -> str:
    """Return the least and the median time of ``work``."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append((time.perf_counter() - started) * 1e3)
    return f"least {min(times):6.1f} ms, median {statistics.median(times):6.1f} ms"


def main() -> None:
    pixels = np.random.default_rng(0).integers(0, 4096, (ROWS, COLUMNS)).astype(np.float32)
    lut = VoiLut(0, np.arange(4096, dtype=np.uint16), 12)
    radiograph = Radiograph(pixels, ImageSource("made"), "", inverted=True, padding=pixels > 4090, voi_luts=(lut,))
    print(f"{ROWS} by {COLUMNS} pixels, MONOCHROME1, with padding")
    for function in VoiFunction:
        window = Window(2000, 1500, function=function)
        print(f"render {function.value:13}", milliseconds(lambda window=window: display.render(radiograph, window)))
    curve = display.presets(radiograph)[0]
    print("render VOI LUT      ", milliseconds(lambda: display.render(radiograph, curve)))
    print("default window      ", milliseconds(lambda: display.default_window(radiograph)))
    print("model input of 224  ", milliseconds(lambda: model_input.to_model_input(radiograph, 224)))
    affine = model_input.to_model_input(radiograph, 224).image_to_model
    grid = np.random.default_rng(1).random((14, 14)).astype(np.float32)
    print("map to image        ", milliseconds(lambda: model_input.map_to_image(grid, 224, affine, ROWS, COLUMNS)))


if __name__ == "__main__":
    main()
