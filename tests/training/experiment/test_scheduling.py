"""Tasks come after what they need, share what they can, and leave their work in folders of their own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from training.experiment import scheduling
from training.experiment.__main__ import runs_of
from training.experiment.arms import ARMS
from training.experiment.errors import ExperimentError
from training.experiment.folders import MARKER, enter, finish, is_finished, read_json
from training.experiment.running import Kind, Task, folder_of, heads_of, made_with_of, needs
from training.experiment.scheduling import run_tasks, with_needs
from training.experiment.settings import Choice, ExperimentSettings, TuningSettings
from training.experiment.tuning import Try, Tuned, choices_of, noises_of


def runs(settings: ExperimentSettings) -> list[Task]:
    tries = tuple(Try("low", arm, Choice(2, 0.8), "greedy", 0.5, 0.5, 0.5, 0.5) for arm in ARMS)
    return runs_of(list(ARMS), settings, Tuned(tries))


def test_everything_comes_once_and_after_what_it_needs(settings: ExperimentSettings) -> None:
    tasks = with_needs(runs(settings))
    assert len(set(tasks)) == len(tasks)
    for place, task in enumerate(tasks):
        assert set(needs(task)) <= set(tasks[:place])
    assert len({folder_of(task, Path()) for task in tasks}) == len(tasks)
    # The ceiling reads no report, and is run at one level alone.
    counted = [task.noise for task in tasks if task.kind is Kind.RUN and task.arm == "f"]
    assert counted == ["low"] * settings.seeds


def test_arms_of_equal_labels_and_reading_share_their_heads() -> None:
    def heads(arm: str) -> Task:
        return heads_of(Task(Kind.RUN, "low", 0, arm, Choice(2, 0.8)))

    assert heads("d") == heads("e")
    assert len({heads(arm) for arm in ("b", "c", "d", "b+", "d+", "f")}) == 6
    assert heads("b") == Task(Kind.HEADS, "low", 0, "b", Choice(2))


def test_only_arms_with_soft_labels_need_them(settings: ExperimentSettings) -> None:
    for task in runs(settings):
        kinds = [needed.kind for needed in needs(task)]
        assert (Kind.SOFTEN in kinds) is ("+" in task.arm)
        assert (Kind.HEADS in kinds) is (task.arm != "a")


def test_the_best_try_of_the_level_is_taken_and_else_that_of_the_other() -> None:
    def one(noise: str, rate: float, score: float) -> Try:
        return Try(noise, "b", Choice(rate), "greedy", score, score, score, score)

    tuned = Tuned((one("low", 1, 0.5), one("low", 2, 0.7), one("high", 4, 0.6)))
    assert tuned.best("low", "b").choice.rate == 2
    assert tuned.best("high", "b").choice.rate == 4
    assert tuned.best("another", "b").choice.rate == 2


def test_every_arm_is_tried_as_often(settings: ExperimentSettings) -> None:
    assert len({len(choices_of(arm, settings)) for arm in ARMS.values()}) == 1
    assert all(choice.told_share == 0 for choice in choices_of(ARMS["a"], settings))
    assert noises_of("f", settings) == ("low",)
    with pytest.raises(ExperimentError, match="1 and 2 settings are to be tried"):
        TuningSettings((Choice(),), (Choice(1, 0), Choice(2, 0)))
    with pytest.raises(ExperimentError, match="untold arm is to be told"):
        TuningSettings((Choice(),), (Choice(1, 0.8),))


def test_work_of_other_settings_is_refused_with_the_difference(settings: ExperimentSettings, tmp_path: Path) -> None:
    task = Task(Kind.RUN, "low", 0, "b", Choice(2, 0.8))
    folder, made_with = folder_of(task, tmp_path), made_with_of(task, settings)
    assert not enter(folder, made_with)
    assert not is_finished(folder)
    assert not enter(folder, made_with)  # killed, and gone on with
    finish(folder, made_with, seconds=1.0)
    assert enter(folder, made_with)
    assert read_json(folder / MARKER)["seconds"] == 1.0
    other = replace(settings, budget=replace(settings.budget, decoder=7))
    with pytest.raises(ExperimentError, match=r"made with other settings: budget\.decoder"):
        enter(folder, made_with_of(task, other))


def test_what_only_changes_the_speed_or_the_number_of_runs_changes_no_run(settings: ExperimentSettings) -> None:
    task = Task(Kind.RUN, "low", 0, "b", Choice(2, 0.8))
    cases = replace(settings.cases, workers=7, cache=Path("elsewhere"))
    other = replace(settings, seeds=9, cases=cases, resamples=7, arms=("b",))
    assert made_with_of(task, other) == made_with_of(task, settings)
    # Heads do not depend on how texts are learned.
    heads = heads_of(task)
    longer = replace(settings, budget=replace(settings.budget, decoder=99))
    assert made_with_of(heads, longer) == made_with_of(heads, settings)
    assert made_with_of(task, longer) != made_with_of(task, settings)


def test_an_unknown_arm_or_level_is_refused(settings: ExperimentSettings) -> None:
    with pytest.raises(ExperimentError, match="no noise level 'none'"):
        settings.noise("none")
    with pytest.raises(ExperimentError, match=r"work\.json cannot be read"):
        read_json(Path("nowhere/work.json"))


def test_a_task_that_fails_costs_only_what_needs_it(
    settings: ExperimentSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[Task] = []

    def do(task: Task, **_: object) -> float:
        if task.kind is Kind.HEADS and task.arm == "b":
            raise ExperimentError("The heads of b are lost.", "Train them again.")
        done.append(task)
        return 0.0

    def pool(workers: int, **_: object) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(workers)

    monkeypatch.setattr("training.experiment.pool.ProcessPoolExecutor", pool)
    monkeypatch.setattr(scheduling, "do", do)
    monkeypatch.setattr(scheduling, "training_cases", lambda *_: None)
    asked = [Task(Kind.RUN, "low", 0, arm, Choice(2, 0.8)) for arm in ("b", "d")]
    said: list[str] = []
    with pytest.raises(ExperimentError, match="heads of b are lost"):
        run_tasks(asked, settings, tmp_path, 2, said.append)
    assert set(done) == set(with_needs(asked[1:]))
    assert [line for line in said if "failed, and 1 that need it: low, arm b, seed 0, heads" in line]
