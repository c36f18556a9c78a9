"""How long the engine takes: to the first token, per token, and per overlay of each method.

    .venv/bin/python tests/benchmarks/bench_engine.py [--student FOLDER] [--device auto] [--repeats 5]

Without --student the bundled one is measured. Medians over repeats of a warm engine on simulated radiographs, beside
the range; the first line says what was measured on.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image

from kdistill_core.conditions import Condition
from kdistill_core.engine.local import Models, Watcher, attribute, explain_file, load_models
from kdistill_core.imaging.display import default_window, render
from kdistill_core.phantom import simulate
from kdistill_core.records import Explanation, Radiograph, SaliencyTarget, TargetKind
from kdistill_core.saliency import methods_for

ROWS, COLUMNS = 2048, 2048


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--student", default=None)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    began = time.perf_counter()
    models = load_models(options.student, device=options.device, precision=options.precision)
    loading = time.perf_counter() - began
    placement = models.placement
    print(
        f"{models.student_name}, {sum(p.numel() for p in models.student.parameters()) / 1e6:.2f} million parameters, "
        f"{placement.device} {placement.precision}, {torch.get_num_threads()} threads of {os.cpu_count()} cores, "
        f"torch {torch.__version__}, {platform.platform()}"
    )
    print(f"images of {ROWS} by {COLUMNS} pixels, {options.repeats} repeats")
    print(f"{'load and warm up':<34} {loading * 1000:9.0f} ms")
    with tempfile.TemporaryDirectory() as folder:
        explanation, radiograph = measure_explaining(models, Path(folder), options.repeats)
    measure_attribution(models, explanation, radiograph, options.repeats)


def measure_explaining(models: Models, folder: Path, repeats: int) -> tuple[Explanation, Radiograph]:
    path = folder / "chest.png"
    phantom = simulate(seed=7, rows=ROWS, columns=COLUMNS).radiograph
    Image.fromarray(render(phantom, default_window(phantom))).save(path)
    first, rate, whole = [], [], []
    for _ in range(repeats):
        times: list[float] = []
        began = time.perf_counter()
        explanation, radiograph = explain_file(
            path, models, watcher=Watcher(on_text=lambda start, text, times=times: times.append(time.perf_counter()))
        )
        whole.append(time.perf_counter() - began)
        if len(times) < 2:
            raise SystemExit("The student wrote fewer than two pieces of text: there is no rate to measure.")
        first.append(times[0] - began)
        rate.append((len(explanation.student.tokens) - 1) / (times[-1] - times[0]))
    show("image file to first text", first)
    show(f"image file to explanation ({len(explanation.student.tokens)} tokens)", whole)
    print(f"{'tokens a second':<34} {statistics.median(rate):9.0f}    ({min(rate):.0f} to {max(rate):.0f})")
    return explanation, radiograph


def measure_attribution(models: Models, explanation: Explanation, radiograph: Radiograph, repeats: int) -> None:
    tokens, sentences = explanation.student.tokens, explanation.student.sentences
    word = next(token.span for token in reversed(tokens) if token.span.end > token.span.start)
    targets = {
        TargetKind.CONDITION: SaliencyTarget(TargetKind.CONDITION, Condition.PLEURAL_EFFUSION),
        TargetKind.WORD: SaliencyTarget(TargetKind.WORD, span=word),
        TargetKind.SENTENCE: SaliencyTarget(TargetKind.SENTENCE, span=sentences[-1].span if sentences else word),
    }
    for kind, target in targets.items():
        for method in methods_for(kind):
            show(
                f"{kind}: {method}",
                timed(lambda t=target, m=method: attribute(explanation, radiograph, t, models, m), repeats),
            )


def timed(work: Callable[[], object], repeats: int) -> list[float]:
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return times


def show(what: str, seconds: list[float]) -> None:
    milliseconds = sorted(1000 * second for second in seconds)
    spread = f"({milliseconds[0]:.0f} to {milliseconds[-1]:.0f})"
    print(f"{what:<34} {statistics.median(milliseconds):9.0f} ms {spread}")


if __name__ == "__main__":
    main()
