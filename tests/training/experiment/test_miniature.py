"""The whole experiment in miniature: tuned, run, written up, gone on with, and never told what the test cases show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from jsonargparse import ActionConfigFile, ArgumentParser

from kdistill_core.datasets import Split
from training.experiment.__main__ import run_experiment
from training.experiment.answers import ANSWERS, PREDICTIONS, read_answers, read_chosen
from training.experiment.arms import ARMS
from training.experiment.cases import held_out_cases, training_cases
from training.experiment.errors import ExperimentError
from training.experiment.folders import MARKER, is_finished
from training.experiment.keeping import keep, restore
from training.experiment.running import CURVES, SOFT, Kind, Task, do, folder_of
from training.experiment.scoring import SCORES
from training.experiment.settings import ExperimentSettings
from training.experiment.tuning import read_tuned

_CONFIG = Path(__file__).parents[3] / "training" / "configs" / "experiment.yaml"
_NOISE = "low"
pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def asked(settings: ExperimentSettings) -> ExperimentSettings:
    """Arms b and d+ at one level and seed."""
    return replace(settings, noises=settings.noises[:1], seeds=1)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def finished(asked: ExperimentSettings, tmp_path_factory: pytest.TempPathFactory, kept: Path) -> Path:
    out = tmp_path_factory.mktemp("experiment")
    run_experiment(asked, out, workers=1, kept=kept)
    return out


def run_of(arm: str, out: Path) -> Path:
    return folder_of(Task(Kind.RUN, _NOISE, 0, arm), out)


def test_every_arm_is_tuned_and_run_and_written_up(asked: ExperimentSettings, finished: Path) -> None:
    tuned = read_tuned(finished)
    assert [one.arm for one in tuned.tries] == ["b", "b", "d+", "d+"]
    page = (finished / "results.md").read_text()
    assert page.startswith("# Results of the experiment")
    assert "Research software" in page
    assert "**This is a part of the experiment**: b, d+" in page
    for name in SCORES:
        assert f"| {name} |" in page
    assert "| (d+) over (b+)" not in page  # which was not run
    assert "| (d+) over (d)" not in page
    for arm in asked.arms:
        answers = read_answers(run_of(arm, finished))
        test = held_out_cases(asked.cases, asked.student.image_size, Split.TEST)
        assert answers.ids == test.ids
        assert len(answers.texts) == len(test)
        assert ((answers.probabilities > 0) & (answers.probabilities < 1)).all()
        curves = msgspec.json.decode((run_of(arm, finished) / CURVES).read_bytes())
        assert any("validation/micro AUC" in entry for entry in curves["texts"])
        assert any("validation/image reliance" in entry for entry in curves["texts"])
        assert (finished / "images" / f"curves-{_NOISE}.png").is_file()


def test_tries_see_no_test_case_and_choose_on_validation_cases(asked: ExperimentSettings, finished: Path) -> None:
    for one in read_tuned(finished).tries:
        folder = folder_of(Task(Kind.TRY, one.noise, asked.tuning.seed, one.arm, one.choice), finished)
        written = msgspec.json.decode((folder / ANSWERS).read_bytes())
        assert not written["test_texts"]
        with np.load(folder / PREDICTIONS) as arrays:
            assert set(arrays) == {"validation_probabilities"}
        chosen = read_chosen(folder)
        assert chosen.decoder_scores[chosen.decoder] == max(chosen.decoder_scores.values()) == one.text_score


def test_soft_labels_say_of_every_condition_what_was_done(finished: Path) -> None:
    records = msgspec.json.decode((folder_of(Task(Kind.SOFTEN, _NOISE, 0), finished) / SOFT).read_bytes())
    assert len(records) == 14


def test_what_is_finished_is_not_trained_again(
    asked: ExperimentSettings, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("finished work is done again")

    monkeypatch.setattr("training.experiment.running.fit", fail)
    page = (finished / "results.md").read_text()
    run_experiment(asked, finished, workers=1)
    assert (finished / "results.md").read_text() == page


def test_an_experiment_goes_on_from_what_was_kept_of_it_elsewhere(
    asked: ExperimentSettings, finished: Path, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archives = {path.relative_to(kept).as_posix(): path.read_bytes() for path in kept.rglob("*.*")}
    assert {"low/b/seed-0.tar.xz", "low/d+/seed-0.tar.xz", "tuning/low/b/rate-2-told-0.tar.xz"} < set(archives)
    assert len(archives) == 6
    assert all(len(content) < 100_000 for content in archives.values())

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("finished work is done again")

    with monkeypatch.context() as patch:
        patch.setattr("training.experiment.running.fit", fail)
        run_experiment(asked, tmp_path / "elsewhere", workers=1, kept=kept)
        here, there = (out / "results.md" for out in (finished, tmp_path / "elsewhere"))
        assert there.read_text() == here.read_text()
        # What was made with other settings is not taken for what is asked.
        other = replace(asked, budget=replace(asked.budget, all=3))
        with pytest.raises(AssertionError, match="done again"):
            run_experiment(other, tmp_path / "other", workers=1, kept=kept)
    keep(run_of("b", finished), tmp_path / "again.tar.xz")
    assert (tmp_path / "again.tar.xz").read_bytes() == archives["low/b/seed-0.tar.xz"]


def test_a_damaged_archive_is_named(kept: Path, finished: Path, tmp_path: Path) -> None:
    archive = tmp_path / "seed-0.tar.xz"
    archive.write_bytes((kept / "low/b/seed-0.tar.xz").read_bytes()[:-400])
    with pytest.raises(ExperimentError, match=r"seed-0\.tar\.xz cannot be read") as error:
        restore(archive, tmp_path / "run", {})
    assert "made again" in error.value.advice
    assert not (tmp_path / "run").exists()


def test_a_run_that_was_killed_comes_to_the_same_answers(
    asked: ExperimentSettings, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    choice = read_tuned(finished).best(_NOISE, "b").choice
    heads = Task(Kind.HEADS, _NOISE, 0, "b", replace(choice, told_share=0.8))
    run = Task(Kind.RUN, _NOISE, 0, "b", choice, beams=read_tuned(finished).best(_NOISE, "b").decoder == "beams")
    do(heads, asked, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("training.experiment.running.answer", killed)
        with pytest.raises(KeyboardInterrupt):
            do(run, asked, tmp_path)
    assert not is_finished(folder_of(run, tmp_path))
    do(run, asked, tmp_path)
    assert (folder_of(run, tmp_path) / MARKER).is_file()
    for name in (ANSWERS, PREDICTIONS):
        assert (folder_of(run, tmp_path) / name).read_bytes() == (run_of("b", finished) / name).read_bytes()


def test_no_case_is_in_two_sets_and_every_seed_has_cases_of_its_own(settings: ExperimentSettings) -> None:
    size = settings.student.image_size
    sets = [held_out_cases(settings.cases, size, split).ids for split in (Split.VALIDATION, Split.TEST)]
    sets += [training_cases(settings.cases, size, seed).ids for seed in (0, settings.tuning.seed)]
    everything = [case for ids in sets for case in ids]
    assert len(set(everything)) == len(everything)


def test_the_shipped_configuration_asks_for_the_whole_experiment() -> None:
    parser = ArgumentParser()
    parser.add_argument("--config", action=ActionConfigFile)
    parser.add_argument("--experiment", type=ExperimentSettings)
    shipped = parser.instantiate(parser.parse_args(["--config", str(_CONFIG)])).experiment
    assert set(shipped.arms) == set(ARMS)
    assert shipped.seeds >= 5
    assert [noise.omission for noise in shipped.noises] == [0.12, 0.40]
    assert shipped.tuning.seed not in range(shipped.seeds)
    assert shipped.student.text_length <= shipped.student.text["max_position_embeddings"]
