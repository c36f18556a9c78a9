"""The page of results, every figure of which comes from the runs' own files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kdistill_core.datasets import Split
from kdistill_core.evaluation.label_counts import count_labels
from kdistill_core.evaluation.summary import UNDEFINED, interval_text, number_text
from kdistill_core.labeling.labelers import RuleLabeler
from training.experiment.answers import Chosen, read_answers, read_chosen
from training.experiment.arms import ARMS, Arm
from training.experiment.cases import ExperimentCases, held_out_cases
from training.experiment.claims import CLAIMS, FURTHER, sayable
from training.experiment.curves import draw_curves
from training.experiment.errors import ExperimentError
from training.experiment.folders import devices_of, is_finished
from training.experiment.running import Kind, Task, folder_of
from training.experiment.scoring import (
    SCORES,
    RunStatistics,
    constant_statistics,
    reliance,
    run_statistics,
    text_f1,
)
from training.experiment.settings import ExperimentSettings
from training.experiment.statistics import ArmScore, Comparison, arm_score, compare, draw_scores
from training.experiment.tuning import Try, noises_of, read_tuned
from training.page import machine, markdown, versions

TEMPLATE = "results.md.jinja"


@dataclass(frozen=True)
class NoiseResults:
    """What came out at one noise level. seeds: those that every arm has finished; scores: by arm and name.

    must, further: the comparisons that are to hold, and others. constant: by name, of the one best text for all.
    folders: of the runs that this is made of, some of which another level may share.
    """

    noise: str
    omission: float
    seeds: tuple[int, ...]
    scores: dict[tuple[str, str], ArmScore]
    must: tuple[Comparison, ...]
    further: tuple[Comparison, ...]
    chosen: dict[str, tuple[Chosen, ...]]
    constant: dict[str, float]
    folders: tuple[Path, ...]


@dataclass(frozen=True)
class Results:
    """Everything that the page says.

    whole: every arm and seed that the configuration asks for is in. devices: what the runs were made on, and how many.
    """

    arms: tuple[Arm, ...]
    cases: int
    noises: tuple[NoiseResults, ...]
    tries: tuple[Try, ...]
    whole: bool
    devices: tuple[tuple[str, int], ...]


def write_results(settings: ExperimentSettings, arms: Sequence[str], out: Path, page: Path, command: str) -> Path:
    """Score the finished runs of ``arms``, write ``page``, and its pictures into ``images`` beside it.

    Raises KDistillError.
    """
    results, tuned = gather(settings, arms, out), read_tuned(out)
    pictures = [
        draw_curves(results.arms, settings, tuned, out, one.noise, page.parent / "images" / f"curves-{one.noise}.png")
        for one in results.noises
    ]
    text = markdown(
        TEMPLATE,
        {"number": number_text, "interval": interval_text, "gain": _gain, "gain_interval": _gain_interval},
        results=results,
        settings=settings,
        scores=SCORES,
        text_f1=text_f1,
        reliance=reliance,
        tuned=tuned,
        command=command,
        pictures=[os.path.relpath(picture, page.parent) for picture in pictures],
        labeler=RuleLabeler().version,
        machine=f"{machine()}, {versions()}",
    )
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(text, encoding="utf-8")
    return page


def gather(settings: ExperimentSettings, arms: Sequence[str], out: Path) -> Results:
    """Return the results of all finished runs; of each noise level over the seeds that every arm has finished.

    Raises ExperimentError where no seed is finished anywhere.
    """
    size = settings.student.image_size
    test = held_out_cases(settings.cases, size, Split.TEST)
    validation = held_out_cases(settings.cases, size, Split.VALIDATION)
    tuned = read_tuned(out)
    each = (_of_noise(name, settings, arms, out, test, validation) for name in settings.noise_names)
    noises = tuple(found for found in each if found is not None)
    if not noises:
        raise ExperimentError(f"No seed of the arms {', '.join(arms)} is finished in {out}.", "Run them first.")
    complete = len(noises) == len(settings.noises) and all(len(one.seeds) == settings.seeds for one in noises)
    whole = complete and set(arms) == set(settings.arms) == set(ARMS)
    devices = devices_of({folder for one in noises for folder in one.folders})
    return Results(tuple(ARMS[arm] for arm in arms), len(test), noises, tuned.tries, whole, devices)


def _of_noise(
    noise: str,
    settings: ExperimentSettings,
    arms: Sequence[str],
    out: Path,
    test: ExperimentCases,
    validation: ExperimentCases,
) -> NoiseResults | None:
    folders = {
        (arm, seed): folder_of(Task(Kind.RUN, _own_noise(arm, noise, settings), seed, arm), out)
        for arm in arms
        for seed in range(settings.seeds)
    }
    seeds = tuple(seed for seed in range(settings.seeds) if all(is_finished(folders[arm, seed]) for arm in arms))
    if not seeds:
        return None
    truth, labeler = test.truth_table, RuleLabeler().version
    runs: dict[str, list[RunStatistics]] = {
        arm: [run_statistics(truth, read_answers(folders[arm, seed]), labeler) for seed in seeds] for arm in arms
    }
    draws = draw_scores(runs, SCORES, truth.groups, settings.resamples)
    constant = constant_statistics(truth, count_labels(validation.truth), labeler)
    return NoiseResults(
        noise,
        settings.noise(noise).omission,
        seeds,
        {key: arm_score(*key, drawn, truth.groups) for key, drawn in draws.items()},
        tuple(compare(claim, draws, truth.groups) for claim in sayable(CLAIMS, set(arms))),
        tuple(compare(claim, draws, truth.groups) for claim in sayable(FURTHER, set(arms))),
        {arm: tuple(read_chosen(folders[arm, seed]) for seed in seeds) for arm in arms},
        {name: constant.value(name) for name in constant.by_name},
        tuple(folders[arm, seed] for arm in arms for seed in seeds),
    )


def _own_noise(arm: str, noise: str, settings: ExperimentSettings) -> str:
    own = noises_of(arm, settings)
    return noise if noise in own else own[0]


def _gain(comparison: Comparison, value: float) -> str:
    return f"{value:+.1%}" if comparison.relative else f"{value:+.4f}"


def _gain_interval(comparison: Comparison) -> str:
    interval = comparison.interval
    if interval is None:
        return UNDEFINED
    return f"{_gain(comparison, interval.low)} to {_gain(comparison, interval.high)}"
