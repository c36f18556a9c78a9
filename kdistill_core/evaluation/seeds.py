"""One score of several trainings that differ in their seed alone: its mean, and how sure it is over seeds and cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.resampling import Interval, Patients, SumStatistic, percentile_interval, resample


@dataclass(frozen=True)
class PooledSeeds:
    """The mean of a score over seeds. interval: over seeds and patients; None where no resample had a defined mean.

    each: the score of every seed. deviation: their standard deviation (n - 1), over seeds alone; None of one seed.
    """

    mean: float
    interval: Interval | None
    each: tuple[float, ...]
    deviation: float | None


def pool_seeds(
    statistics: Sequence[SumStatistic], groups: Sequence[str], resamples: int = 2000, seed: int = 0
) -> PooledSeeds:
    """Return the mean score of several seeds, with an interval that covers other seeds and other patients.

    statistics: one a seed, of the same cases in the same order. groups: the patient of each case. A resample draws
    seeds and, independently, patients, who are the same for every seed drawn: all seeds were tested on the same cases,
    and drawing cases anew for each would average their variance away (the pigeonhole bootstrap of crossed factors,
    Owen, Annals of Applied Statistics 2007). Few seeds show too little of their variance: of S, (S - 1) / S on
    average, so that three are the least worth reporting. Raises EvaluationError without a seed or a case, for seeds of
    different cases, or for a score that is not defined.
    """
    if not statistics:
        raise EvaluationError("There is no seed to pool.", "Give the scores of at least one training.")
    if any(statistic.summands.shape[1] != len(groups) for statistic in statistics):
        raise EvaluationError("The seeds were not tested on the same cases.", "Test every seed on all cases.")
    each = tuple(statistic.value for statistic in statistics)
    if np.isnan(each).any():
        raise EvaluationError(f"The score is not defined on these {len(groups)} cases.", "Use more cases.")
    drawn = resample(dict(enumerate(statistics)), groups, resamples, seed)
    by_seed = np.stack([drawn[number] for number in range(len(statistics))])
    # A stream of its own: which seeds are drawn must not follow which patients are.
    chosen = np.random.default_rng([seed, 2]).integers(len(each), size=(len(each), resamples))
    means = np.take_along_axis(by_seed, chosen, axis=0).mean(axis=0)
    mean = float(np.mean(each))
    interval = percentile_interval(mean, means, len(groups), Patients.of(groups).count)
    return PooledSeeds(mean, interval, each, float(np.std(each, ddof=1)) if len(each) > 1 else None)
