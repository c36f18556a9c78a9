"""Time from the start of the process to the first painted window: the viewer against a bare window.

    python tests/benchmarks/bench_startup.py [--repetitions 15] [--out results.json]

Both are processes of their own, started in turn within one run, so that what else the machine does meets both. The
bare window is a PySide6 QMainWindow with the viewer's own canvas as its central widget, without theme or settings.
A round before the first one that counts fills the caches of the file system and of compiled modules.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

TARGET_RATIO = 2.0

_TELL = """
def painted():
    import os, time
    print(time.monotonic_ns(), flush=True)
    os._exit(0)
"""
BARE = f"""
import sys
from PySide6.QtWidgets import QApplication, QMainWindow
from kdistill_viewer.canvas import ImageCanvas
from kdistill_viewer.first_paint import FirstPaint
{_TELL}
application = QApplication(sys.argv[:1])
window = QMainWindow()
canvas = ImageCanvas()
window.setCentralWidget(canvas)
window.resize(1500, 940)
watch = FirstPaint(canvas, painted)
window.show()
application.exec()
"""
VIEWER = f"""
import sys
from kdistill_viewer.app import build, parse
{_TELL}
application, window = build(parse(sys.argv[1:]))
from kdistill_viewer.first_paint import FirstPaint
watch = FirstPaint(window.canvas, painted)
window.show()
application.exec()
"""


def time_to_first_paint(script: str, *arguments: str) -> float:
    """Return seconds from the start of the process to its first painted window."""
    environment = os.environ | ({} if "DISPLAY" in os.environ else {"QT_QPA_PLATFORM": "offscreen"})
    start = time.monotonic_ns()
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True, env=environment
    )
    return (int(done.stdout.split()[-1]) - start) / 1e9


def ratio_interval(viewer: list[float], bare: list[float], *, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the ratio of the medians."""
    generator = np.random.default_rng(seed)
    a, b = np.asarray(viewer), np.asarray(bare)
    drawn_a = np.median(a[generator.integers(0, len(a), (10_000, len(a)))], axis=1)
    drawn_b = np.median(b[generator.integers(0, len(b), (10_000, len(b)))], axis=1)
    low, high = np.percentile(drawn_a / drawn_b, [2.5, 97.5])
    return float(low), float(high)


def main() -> int:
    """Measure, print, and return 1 when the target is missed."""
    parser = argparse.ArgumentParser(description="Time from process start to the first painted window.")
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    options = parser.parse_args()
    viewer: list[float] = []
    bare: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        settings = ("--settings", str(Path(folder) / "viewer.json"))
        time_to_first_paint(BARE)
        time_to_first_paint(VIEWER, *settings)
        for _ in range(options.repetitions):
            bare.append(time_to_first_paint(BARE))
            viewer.append(time_to_first_paint(VIEWER, *settings))
    ratio = statistics.median(viewer) / statistics.median(bare)
    low, high = ratio_interval(viewer, bare)
    platform = os.environ.get("QT_QPA_PLATFORM") or ("screen" if "DISPLAY" in os.environ else "offscreen")
    print(f"platform {platform}, {options.repetitions} starts each, in turn")
    print(f"bare window    median {statistics.median(bare) * 1000:7.0f} ms")
    print(f"kdistill-viewer median {statistics.median(viewer) * 1000:6.0f} ms")
    print(f"ratio {ratio:.2f} (95 % interval {low:.2f} to {high:.2f}; target at most {TARGET_RATIO:g})")
    if options.out:
        options.out.write_text(
            json.dumps({"bare_s": bare, "viewer_s": viewer, "ratio": ratio, "interval": [low, high]})
        )
    return 0 if ratio <= TARGET_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
