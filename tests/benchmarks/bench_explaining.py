"""Explaining a case by the engine beside encoding and transformers' plain `generate`, on the same weights, in one run.

    .venv/bin/python tests/benchmarks/bench_explaining.py [--student FOLDER] [--cases 8] [--repeats 5] [--threads 2]

Both sides get the same prepared image, one at a time, on the CPU: they look, decide on the conditions and write a
rationale of 100 tokens. The engine also streams the text and keeps each token's place and log-probability. The tokens
have to be equal. Cases are simulated ones whose rationale is at least that long; the sides take turns, and a case's
ratio is that of their medians. The whole explanation, with the teacher's part and the comparison, is timed beside it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch

from kdistill_core.engine.cases import Case, prepare_case
from kdistill_core.engine.explaining import Watcher, explain_case
from kdistill_core.engine.local import Models, load_models
from kdistill_core.engine.writing import write_rationale
from kdistill_core.phantom import simulate
from kdistill_core.records import Radiograph
from kdistill_core.student.decisions import findings

TOKENS = 100
MOST_SEEDS = 300
SIDE = 512
TARGET = 1.5
Made = TypeVar("Made")


@dataclass(frozen=True)
class Timed:
    """The medians of a case, in seconds."""

    engine: float
    plain: float
    whole: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--student", default=None)
    parser.add_argument("--cases", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    models = load_models(options.student, device="cpu", precision="float32")
    print(f"{models.student_name}, {options.threads} threads, torch {torch.__version__}, load {os.getloadavg()[0]:.1f}")
    measured = []
    for number, (radiograph, case) in enumerate(long_cases(models, options.cases), start=1):
        one = timed(models, radiograph, case, options.repeats)
        measured.append(one)
        print(
            f"case {number}: engine {1000 * one.engine:.0f} ms, plain {1000 * one.plain:.0f} ms, "
            f"whole explanation {1000 * one.whole:.0f} ms",
            flush=True,
        )
    ratio = show("findings and rationale", [one.plain / one.engine for one in measured])
    show("the whole explanation beside the same plain one", [one.plain / one.whole for one in measured])
    print(f"to be at least {TARGET}: {'yes' if ratio >= TARGET else 'NO'}")


def show(what: str, ratios: list[float]) -> float:
    middle = statistics.median(ratios)
    print(f"{what}: ratio {middle:.2f} ({min(ratios):.2f} to {max(ratios):.2f}), n = {len(ratios)} cases")
    return middle


def long_cases(models: Models, count: int) -> list[tuple[Radiograph, Case]]:
    """Return the first simulated cases of which the student writes at least TOKENS tokens."""
    found = []
    for seed in range(MOST_SEEDS):
        radiograph = simulate(seed=seed, rows=SIDE, columns=SIDE).radiograph
        case = prepare_case(models, radiograph)
        if len(by_engine(models, case)) == TOKENS:
            found.append((radiograph, case))
        if len(found) == count:
            return found
    raise SystemExit(f"Of {MOST_SEEDS} cases only {len(found)} have a rationale of {TOKENS} tokens.")


def timed(models: Models, radiograph: Radiograph, case: Case, repeats: int) -> Timed:
    """Return what the sides take for a case. Raises AssertionError where they write different tokens."""
    engine, plain, whole = [], [], []
    for _ in range(repeats):
        ours, seconds = clocked(lambda: by_engine(models, case))
        engine.append(seconds)
        theirs, seconds = clocked(lambda: by_generate(models, case))
        plain.append(seconds)
        if ours != theirs:
            raise AssertionError(f"The engine wrote {ours}, generate {theirs}.")
        explanation, seconds = clocked(
            lambda: explain_case(models, radiograph, case, Watcher(), seed=0, max_new_tokens=TOKENS)
        )
        whole.append(seconds)
        if [token.id for token in explanation.student.tokens] != theirs:
            raise AssertionError("The whole explanation has other tokens.")
    return Timed(statistics.median(engine), statistics.median(plain), statistics.median(whole))


def by_engine(models: Models, case: Case) -> list[int]:
    with torch.inference_mode():
        encoding = models.student.encode(case.pixel_values)
    findings(models.student, encoding.condition_logits[0])
    writing = write_rationale(
        models, encoding, seed=0, max_new_tokens=TOKENS, on_text=lambda start, text: None, check=lambda: None
    )
    return [token.id for token in writing.tokens]


def by_generate(models: Models, case: Case) -> list[int]:
    student, start = models.student, models.processor(text="")
    with torch.inference_mode():
        encoding = student.encode(case.pixel_values)
        findings(student, encoding.condition_logits[0])
        written = student.generate(**start, prefix_embeds=student.prefix(encoding), max_new_tokens=TOKENS)
    ids = written[0, start["input_ids"].shape[1] :].tolist()
    models.processor.tokenizer.decode(ids, skip_special_tokens=True)
    return ids


def clocked(work: Callable[[], Made]) -> tuple[Made, float]:
    began = time.perf_counter()
    made = work()
    return made, time.perf_counter() - began


if __name__ == "__main__":
    main()
