"""How much of a GPU a training uses: cases and tokens a second, arithmetic beside the peak, and what bounds it."""

from __future__ import annotations

import re
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode
from transformers import TrainerCallback

from tests.benchmarks.trained_student import Bench

MOST_NAMED = 10
LONGEST = 1_000_000  # steps; the clock ends a run
# Kernels that multiply matrices, for which alone the peak holds.
ARITHMETIC = re.compile(
    r"gemm|conv|cutlass|wgrad|dgrad|fprop|xmma|flash|fmha|attention|mm_|nvjet|addmm|bmm", re.IGNORECASE
)
# What frames kernels is shown on the device as well.
FRAME = re.compile(r"^(Optimizer\.|ProfilerStep|enumerate\(DataLoader|DistributedDataParallel|## )")
IDLE = 0.3  # from here on the GPU waits for the computer


@dataclass(frozen=True)
class Steps:
    """How many of a run go ahead of the clock, and how many are profiled after it."""

    warm_up: int
    profiled: int


ON_GPU, ON_CPU = Steps(20, 10), Steps(2, 2)


@dataclass(frozen=True)
class Kernels:
    """What ran on the device in the profiled steps. busy: seconds a step; by_name: seconds a step and calls a step."""

    busy: float
    by_name: dict[str, tuple[float, float]]

    @property
    def launches(self) -> float:
        return sum(calls for _, calls in self.by_name.values())

    @property
    def arithmetic(self) -> float:
        """The share of matrix products in the kernels' time."""
        whole = sum(seconds for seconds, _ in self.by_name.values())
        return sum(seconds for name, (seconds, _) in self.by_name.items() if ARITHMETIC.search(name)) / max(
            whole, 1e-12
        )


def utilization(bench: Bench, seconds: float, workers: int, peak: float, device: torch.device) -> None:
    """Train for some seconds in bf16 and print what came of it; peak: TFLOP/s."""
    print(f"\n{bench.name}, bf16, {workers} workers, {bench.tokens:.0f} tokens a text", flush=True)
    size = bench.settings.batch_size
    flops = step_flops(bench, device)
    settings = replace(
        bench.settings, bf16=True, loader_workers=workers, gradient_norm_steps=0, log_steps=25, save_steps=LONGEST
    )
    with tempfile.TemporaryDirectory() as folder:
        trainer = bench.trainer(Path(folder), settings, LONGEST)
        watch = Watch(seconds, device)
        trainer.add_callback(watch)
        waited = _timed_batches(trainer)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        trainer.train_on()
    a_step = watch.seconds / watch.steps
    rate = flops / a_step / 1e12
    print(
        f"{watch.steps} steps in {watch.seconds:.1f} s: {1000 * a_step:.1f} ms a step, {1 / a_step:.2f} steps a second"
    )
    print(f"{size / a_step:.0f} images a second, {bench.tokens * size / a_step:.0f} tokens of text a second")
    print(f"{flops / 1e12:.3f} TFLOP a step forward and backward (torch.utils.flop_counter)")
    print(f"{rate:.2f} TFLOP/s, model FLOPs utilization {rate / peak:.2%} of {peak:.0f} TFLOP/s")
    if device.type == "cuda":
        print(f"memory at most {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB of tensors")
    taking = statistics.mean(waited[watch.plan.warm_up :][: watch.steps])
    print(f"a step's batch is waited for {1000 * taking:.1f} ms ({taking / a_step:.0%} of the step)")
    report(watch.kernels, a_step, taking)


def step_flops(bench: Bench, device: torch.device) -> float:
    """Return the floating-point operations of one step's forward and backward pass, of the mean of three batches."""
    student = deepcopy(bench.student).to(device).train()
    counts = []
    for batch in bench.batches(3, bench.settings.batch_size, device):
        with FlopCounterMode(display=False) as counter:
            with torch.autocast(device.type, torch.bfloat16):
                terms, _ = bench.objective.terms(student, batch, dict(bench.stage.weights))
                total = torch.stack([bench.stage.weights[name] * term.value for name, term in terms.items()]).sum()
            total.backward()
        student.zero_grad()
        counts.append(float(counter.get_total_flops()))
    return statistics.mean(counts)


class Watch(TrainerCallback):
    """Times a run after its first steps, profiles a few of those that follow, and ends it."""

    def __init__(self, seconds: float, device: torch.device) -> None:
        self._most, self._device = seconds, device
        self.plan = ON_GPU if device.type == "cuda" else ON_CPU
        self._began = 0.0
        self._profile: profile | None = None
        self._profiled = 0
        self.steps = 0
        self.seconds = 0.0
        self.kernels = Kernels(0.0, {})

    def on_step_end(self, args, state, control, **kwargs) -> None:
        if self._profile is not None:
            self._go_on_profiling(control)
        elif state.global_step == self.plan.warm_up:
            self._synchronize()
            self._began = time.perf_counter()
        elif state.global_step > self.plan.warm_up and time.perf_counter() - self._began > self._most:
            self._synchronize()
            self.seconds, self.steps = time.perf_counter() - self._began, state.global_step - self.plan.warm_up
            activities = [ProfilerActivity.CPU]
            if self._device.type == "cuda":
                activities.append(ProfilerActivity.CUDA)
            self._profile = profile(activities=activities)
            self._profile.__enter__()

    def on_save(self, args, state, control, **kwargs) -> None:
        control.should_training_stop = True

    def _go_on_profiling(self, control) -> None:
        self._profiled += 1
        if self._profiled < self.plan.profiled:
            return
        self._synchronize()
        self._profile.__exit__(None, None, None)
        self.kernels = kernels_of(self._profile, self.plan.profiled, self._device)
        control.should_training_stop = True

    def _synchronize(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize()


def kernels_of(profiled: profile, steps: int, device: torch.device) -> Kernels:
    """Return the device's kernels; on a CPU, which has none, its operators by the time that is their own."""
    by_name: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    spans = []
    if device.type == "cuda":
        for event in profiled.events():
            framing = getattr(event, "is_user_annotation", False) or FRAME.match(event.name)
            if event.device_type == DeviceType.CUDA and not framing:
                spans.append((event.time_range.start / 1e6, event.time_range.end / 1e6))
                by_name[event.name][0] += spans[-1][1] - spans[-1][0]
                by_name[event.name][1] += 1
        busy = covered(spans)
    else:
        for average in profiled.key_averages():
            by_name[average.key][0] += average.self_cpu_time_total / 1e6
            by_name[average.key][1] += average.count
        busy = sum(seconds for seconds, _ in by_name.values())
    a_step = {name: (seconds / steps, calls / steps) for name, (seconds, calls) in by_name.items()}
    return Kernels(busy / steps, a_step)


def covered(spans: Sequence[tuple[float, float]]) -> float:
    """Return how long at least one of the ``spans`` lasts."""
    whole, until = 0.0, float("-inf")
    for start, end in sorted(spans):
        whole += max(0.0, end - max(start, until))
        until = max(until, end)
    return whole


def report(kernels: Kernels, a_step: float, waiting: float) -> None:
    """Print the longest kernels, how long the device does nothing, and what follows from both.

    Kernels take as long under a profiler, but what starts them takes longer; so they are set beside a step without one.
    """
    idle = max(0.0, 1 - kernels.busy / a_step)
    print(f"profile: {1000 * kernels.busy:.1f} ms of kernels a step, idle {idle:.0%} of the step")
    print(f"{kernels.launches:.0f} kernels a step, {kernels.arithmetic:.0%} of their time in products and convolutions")
    longest = sorted(kernels.by_name.items(), key=lambda item: -item[1][0])[:MOST_NAMED]
    for name, (seconds, calls) in longest:
        share = seconds / max(kernels.busy, 1e-12)
        print(f"  {share:6.1%} {1e3 * seconds:9.3f} ms {calls:7.1f} calls  {name[:90]}")
    if idle < IDLE:
        by = "matrix products" if kernels.arithmetic > 0.5 else "memory: kernels that move more than they compute"
        print(f"bound by the device's {by}")
    elif waiting > a_step * idle / 2:
        print("bound by making batches: more workers, or larger ones for the GPU to work on")
    else:
        print("bound by the computer that starts kernels: larger batches, fewer kernels, or CUDA graphs")


def _timed_batches(trainer) -> list[float]:
    """Return the list to which every step adds the seconds that it waits for its batches."""
    seconds: list[float] = []
    take = trainer.get_batch_samples

    def timed(*args: object) -> tuple[list[dict[str, Tensor]], None]:
        began = time.perf_counter()
        taken = take(*args)
        seconds.append(time.perf_counter() - began)
        return taken

    trainer.get_batch_samples = timed
    return seconds
