"""Training steps a second beside a bare loop over the same model, and on a GPU how much of it the training uses.

    .venv/bin/python tests/benchmarks/bench_training.py [--rounds 8] [--steps 3] [--threads 2]
    python3 tests/benchmarks/bench_training.py --cuda-only --seconds 20 [--peak-tflops 989]

The trainer runs as it does in a training: draws, augmentation, tokens, checks, logs. The bare loop does the objective's
forward and backward pass and the optimizer's step on batches in memory. They take turns, a few steps each, within one
training, so that other load on the computer falls on both. What comes seldom, gradient norms and checkpoints, is timed
by itself and shared out over the steps of the configuration.

On a GPU, and with --cuda-only on whatever --device names: bf16 throughput, the share of the peak that the arithmetic
of a step makes of it, and the profile; see training_utilization.py. --runs names configurations and cases a batch.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
import warnings
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from transformers import TrainerCallback

# Runs where the package is not installed, too.
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from kdistill_core.distillation.gradient_norms import gradient_norms, shared_encoder  # noqa: E402
from kdistill_core.distillation.losses import Term  # noqa: E402
from kdistill_core.distillation.trainer import DistillationTrainer  # noqa: E402
from tests.benchmarks.trained_student import Bench, bench_of  # noqa: E402
from tests.benchmarks.training_utilization import utilization  # noqa: E402

DEMO, MIMIC = "student-demo", "mimic-cxr/student"
ON_GPU = [f"{DEMO}:32", f"{DEMO}:256", f"{MIMIC}:64", f"{MIMIC}:128"]
TARGET = 0.9


def main() -> None:
    options = arguments()
    if options.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # the trainer takes a GPU where it sees one
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    warnings.filterwarnings("ignore", category=FutureWarning)
    torch.set_num_threads(options.threads)
    on_gpu = torch.cuda.is_available()
    device = torch.device("cuda" if on_gpu else "cpu")
    named = torch.cuda.get_device_name() if on_gpu else f"{torch.get_num_threads()} threads"
    print(f"{device} ({named}), torch {torch.__version__}, load {os.getloadavg()[0]:.1f}", flush=True)
    runs = options.runs or (ON_GPU if on_gpu else [f"{DEMO}:32"])
    if not options.cuda_only:
        beside_bare(_bench(runs[0]), options.rounds, options.steps, device)
    if on_gpu or options.cuda_only:
        for run in runs:
            # A run that does not fit must not cost the others, on a machine that is lent once.
            try:
                utilization(_bench(run), options.seconds, options.workers, options.peak_tflops, device)
            except Exception as error:  # noqa: BLE001
                print(f"{run}: {type(error).__name__}: {error}", flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--runs", nargs="*", metavar="CONFIG:CASES", help="of training/configs, such as student-demo:32"
    )
    parser.add_argument("--device", choices=["auto", "cpu"], default="auto")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=3, help="of each side in a round")
    parser.add_argument("--cuda-only", action="store_true", help="only throughput, utilization and profile")
    parser.add_argument("--seconds", type=float, default=20.0, help="of training for each throughput")
    parser.add_argument("--workers", type=int, default=min(12, os.cpu_count() or 1), help="that make batches for a GPU")
    parser.add_argument("--peak-tflops", type=float, default=989.0, help="dense bf16; 989 for H100 and H200")
    return parser.parse_args()


def beside_bare(bench: Bench, rounds: int, steps: int, device: torch.device) -> None:
    """Print both rates and the median of their ratios."""
    settings = replace(bench.settings, bf16=device.type == "cuda", log_steps=steps, gradient_norm_steps=0)
    with tempfile.TemporaryDirectory() as folder:
        trainer = bench.trainer(Path(folder), settings, (rounds + 1) * steps)
        bare = Bare(bench, device)
        turns = Turns(bare, steps, device)
        trainer.add_callback(turns)
        saving = _timed_saves(trainer)
        trainer.train_on()
    ratios = [alone / trained for trained, alone in turns.seconds]
    for number, (trained, alone) in enumerate(turns.seconds, start=1):
        print(f"round {number}: trainer {1 / trained:.3f}, bare loop {1 / alone:.3f} steps a second")
    print(f"{bench.name}, {bench.tokens:.0f} tokens a text, {'bf16' if settings.bf16 else 'float32'}")
    ratio = statistics.median(ratios)
    print(f"ratio: median {ratio:.3f} ({min(ratios):.3f} to {max(ratios):.3f}), n = {rounds} rounds of {steps} steps")
    seldom = {
        "gradient norms": (bare.seconds_of_norms(), bench.settings.gradient_norm_steps),
        "checkpoint": (statistics.median(saving), bench.settings.save_steps),
    }
    a_step = statistics.median(alone for _, alone in turns.seconds)
    for what, (seconds, every) in seldom.items():
        print(f"{what}: {seconds:.2f} s every {every} steps")
    whole = 1 / (1 / ratio + sum(seconds / every for seconds, every in seldom.values() if every) / a_step)
    print(f"ratio with these: {whole:.3f}, to be at least {TARGET}: {'yes' if whole >= TARGET else 'NO'}")


class Bare:
    """The bare loop, over a copy of the student of its own."""

    def __init__(self, bench: Bench, device: torch.device) -> None:
        self._student = deepcopy(bench.student).to(device).train()
        self._objective, self._weights = bench.objective, dict(bench.stage.weights)
        self._optimizer = torch.optim.AdamW(
            self._student.parameters(), bench.stage.learning_rate, weight_decay=bench.settings.weight_decay, fused=True
        )
        self._batches = bench.batches(8, bench.settings.batch_size, device)
        self._device = device
        self._done = 0

    def run(self, steps: int) -> None:
        for _ in range(steps):
            terms = self._terms()
            torch.stack([self._weights[name] * term.value for name, term in terms.items()]).sum().backward()
            self._optimizer.step()
            self._optimizer.zero_grad()

    def seconds_of_norms(self) -> float:
        terms = self._terms()
        wait(self._device)
        began = time.perf_counter()
        gradient_norms(terms, self._weights, shared_encoder(self._student))
        return time.perf_counter() - began

    def _terms(self) -> dict[str, Term]:
        batch: dict[str, Tensor] = self._batches[self._done % len(self._batches)]
        self._done += 1
        half: AbstractContextManager[object] = (
            torch.autocast("cuda", torch.bfloat16) if self._device.type == "cuda" else nullcontext()
        )
        with half:
            return self._objective.terms(self._student, batch, self._weights)[0]


class Turns(TrainerCallback):
    """Lets the bare loop have its turn after every ``steps`` steps; seconds: a step of each side, by round."""

    def __init__(self, bare: Bare, steps: int, device: torch.device) -> None:
        self._bare, self._steps, self._device = bare, steps, device
        self._began: float | None = None
        self.seconds: list[tuple[float, float]] = []

    def on_step_end(self, args, state, control, **kwargs) -> None:
        if state.global_step % self._steps:
            return
        wait(self._device)
        here = time.perf_counter()
        self._bare.run(self._steps)
        wait(self._device)
        now = time.perf_counter()
        if self._began is not None:  # the first round warms up
            self.seconds.append(((here - self._began) / self._steps, (now - here) / self._steps))
        self._began = now


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def _timed_saves(trainer: DistillationTrainer) -> list[float]:
    """Return the list to which every checkpoint of the trainer adds its seconds."""
    seconds: list[float] = []
    save = trainer._save_checkpoint

    def timed(*args: object) -> None:
        began = time.perf_counter()
        save(*args)
        seconds.append(time.perf_counter() - began)

    trainer._save_checkpoint = timed
    return seconds


def _bench(run: str) -> Bench:
    name, _, size = run.partition(":")
    return bench_of(ROOT / "training" / "configs" / f"{name}.yaml", int(size or 32))


if __name__ == "__main__":
    main()
