"""Means over seeds, and comparisons of arms paired over cases and seeds, each with its interval and its verdict.

A resample draws seeds and, independently, patients, the same for both arms: the pigeonhole bootstrap of crossed factors
(Owen, Annals of Applied Statistics 2007), as in :func:`kdistill_core.evaluation.seeds.pool_seeds`. Arms of one seed
were trained on the same cases from the same initial weights, so a difference is paired in both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kdistill_core.evaluation.resampling import Interval, Patients, SumStatistic, percentile_interval, resample
from training.experiment.errors import ExperimentError
from training.experiment.scoring import RunStatistics

Floats = NDArray[np.float64]
HOLDS, FAILS = "holds", "does not hold"


@dataclass(frozen=True, eq=False)
class ArmDraws:
    """One score of one arm. each: of every seed, float64 [S]. drawn: mean over seeds in every resample, float64 [R]."""

    each: Floats
    drawn: Floats

    @property
    def mean(self) -> float:
        return float(self.each.mean())


@dataclass(frozen=True)
class ArmScore:
    """The mean of a score over seeds. interval: over seeds and cases; None where no resample had a value."""

    arm: str
    name: str
    mean: float
    interval: Interval | None
    each: tuple[float, ...]


@dataclass(frozen=True)
class Comparison:
    """One arm against others, the best of them where there are several.

    gain: relative where ``relative``, such as 0.08 for 8 %, else a difference. interval: paired, over seeds and cases.
    least: gain that is asked for. against: the best of ``others`` by its mean. each: gain over it in every seed.
    """

    arm: str
    others: tuple[str, ...]
    against: str
    score: str
    relative: bool
    gain: float
    interval: Interval | None
    least: float
    each: tuple[float, ...]

    @property
    def verdict(self) -> str:
        """``holds`` where the gain is at least what is asked for and its whole interval is above 0."""
        return HOLDS if self.interval is not None and self.interval.low > 0 and self.gain >= self.least else FAILS


@dataclass(frozen=True)
class Claim:
    """A comparison that is to hold: ``arm`` over the best of ``others`` by ``score``."""

    arm: str
    others: tuple[str, ...]
    score: str
    relative: bool
    least: float = 0.0


def draw_scores(
    runs: Mapping[str, Sequence[RunStatistics]],
    names: Sequence[str],
    groups: Sequence[str],
    resamples: int,
    seed: int = 0,
) -> dict[tuple[str, str], ArmDraws]:
    """Return the draws of every arm and score that its runs have, all over the same resamples.

    runs: by arm, one a seed, in the same order in every arm. groups: the patient of each case. Raises ExperimentError
    for arms of unequal seeds.
    """
    counts = {len(of_arm) for of_arm in runs.values()}
    if len(counts) != 1:
        raise ExperimentError(
            f"The arms have {', '.join(f'{arm} {len(of_arm)}' for arm, of_arm in runs.items())} seeds.",
            "Compare arms over the same seeds.",
        )
    seeds = counts.pop()
    # A stream of its own: which seeds are drawn must not follow which patients are.
    chosen = np.random.default_rng([seed, 2]).integers(seeds, size=(seeds, resamples))
    statistics: dict[tuple[str, str, int, int], SumStatistic] = {
        (arm, name, number, part): statistic
        for arm, of_arm in runs.items()
        for number, run in enumerate(of_arm)
        for name in names
        for part, statistic in enumerate(run.by_name.get(name, ()))
    }
    drawn = resample(statistics, groups, resamples, seed)
    found = {}
    for arm, of_arm in runs.items():
        for name in names:
            if not all(run.by_name.get(name) for run in of_arm):
                continue
            by_seed = np.stack(
                [
                    np.mean([drawn[arm, name, number, part] for part in range(len(run.by_name[name]))], axis=0)
                    for number, run in enumerate(of_arm)
                ]
            )
            means = np.take_along_axis(by_seed, chosen, axis=0).mean(axis=0)
            found[arm, name] = ArmDraws(np.array([run.value(name) for run in of_arm]), means)
    return found


def arm_score(arm: str, name: str, draws: ArmDraws, groups: Sequence[str]) -> ArmScore:
    """Return a score with its interval."""
    interval = _interval(draws.mean, draws.drawn, groups)
    return ArmScore(arm, name, draws.mean, interval, tuple(draws.each.tolist()))


def compare(claim: Claim, draws: Mapping[tuple[str, str], ArmDraws], groups: Sequence[str]) -> Comparison:
    """Return how ``claim`` fares.

    Of several others the best in each resample is taken, so that the choice among them counts as well, to their favor.
    Raises ExperimentError for an arm that was not run.
    """
    missing = [arm for arm in (claim.arm, *claim.others) if (arm, claim.score) not in draws]
    if missing:
        raise ExperimentError(f"The arm {missing[0]} was not run.", "Run it first.")
    own, others = draws[claim.arm, claim.score], {arm: draws[arm, claim.score] for arm in claim.others}
    best = max(others, key=lambda arm: others[arm].mean)
    rival = np.max([of_other.drawn for of_other in others.values()], axis=0)
    gain = float(_gain(np.array(own.mean), np.array(others[best].mean), claim))
    return Comparison(
        claim.arm,
        claim.others,
        best,
        claim.score,
        claim.relative,
        gain,
        _interval(gain, _gain(own.drawn, rival, claim), groups),
        claim.least,
        tuple(_gain(own.each, others[best].each, claim).tolist()),
    )


def _gain(own: Floats, other: Floats, claim: Claim) -> Floats:
    if not claim.relative:
        return np.asarray(own - other)
    ratio = np.full(np.shape(own), np.nan)
    np.divide(own, other, out=ratio, where=other > 0)
    return np.asarray(ratio - 1)


def _interval(value: float, drawn: Floats, groups: Sequence[str]) -> Interval | None:
    return percentile_interval(value, drawn, len(groups), Patients.of(groups).count)
