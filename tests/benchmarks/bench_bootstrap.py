"""How long the bootstrap of 14 AUCs takes, beside a loop over scikit-learn's function on the very same resamples.

    taskset -c 0,1 .venv/bin/python tests/benchmarks/bench_bootstrap.py [--cases 5000] [--resamples 2000]

The loop is timed on as many resamples as --loop says (all, if it is as large as --resamples) and its time is scaled to
all of them; where both were computed, the values are compared. Targets: under 30 seconds on 2 cores, and at least 20
times as fast as the loop.
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from kdistill_core.conditions import CONDITIONS
from kdistill_core.evaluation.ranking import auc_statistic
from kdistill_core.evaluation.resampling import resample

TARGET_SECONDS, TARGET_RATIO = 30.0, 20.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--loop", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    # From rare to common, as the conditions of chest radiographs are.
    labels = (rng.random((options.cases, len(CONDITIONS))) < np.linspace(0.02, 0.4, len(CONDITIONS))).astype(float)
    scores = rng.normal(size=labels.shape) + labels
    patients = [str(case) for case in range(options.cases)]
    print(
        f"{options.cases} cases, {len(CONDITIONS)} conditions, {options.resamples} resamples; {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}"
    )

    began, processor = time.perf_counter(), time.process_time()
    statistics = {k: auc_statistic(scores[:, k], labels[:, k]) for k in range(len(CONDITIONS))}
    drawn = resample(statistics, patients, options.resamples, options.seed)
    ours, ours_processor = time.perf_counter() - began, time.process_time() - processor
    print(f"vectorized:        {ours:8.2f} s wall, {ours_processor:8.2f} s of processor")

    looped = min(options.loop, options.resamples)
    began, processor = time.perf_counter(), time.process_time()
    theirs = loop(scores, labels, looped, options.seed)
    scale = options.resamples / looped
    loop_wall = (time.perf_counter() - began) * scale
    loop_processor = (time.process_time() - processor) * scale
    said = "" if looped == options.resamples else f", scaled from {looped} resamples"
    print(f"scikit-learn loop: {loop_wall:8.2f} s wall, {loop_processor:8.2f} s of processor{said}")
    apart = max(np.abs(drawn[k][:looped] - theirs[:, k]).max() for k in drawn)
    print(f"largest difference of an AUC over {looped} resamples: {apart:.1e}")
    print(f"ratio {loop_wall / ours:.0f} wall, {loop_processor / ours_processor:.0f} of processor")
    print(f"targets: {ours < TARGET_SECONDS and loop_wall / ours >= TARGET_RATIO}")


def loop(scores: NDArray[np.float64], labels: NDArray[np.float64], resamples: int, seed: int) -> NDArray[np.float64]:
    """Return the AUCs [resamples, K] of the same draws, one call of scikit-learn each."""
    rng = np.random.default_rng(seed)
    areas = np.empty((resamples, labels.shape[1]))
    for row in areas:
        at = rng.integers(len(labels), size=len(labels))
        row[:] = [roc_auc_score(labels[at, k], scores[at, k]) for k in range(labels.shape[1])]
    return areas


if __name__ == "__main__":
    main()
