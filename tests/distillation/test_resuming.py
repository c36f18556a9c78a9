"""Going on: after a kill to the last digit, past what a full disk left, and never from another run's checkpoint."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from kdistill_core.distillation.checkpoints import (
    SEAL,
    Seal,
    check_configuration,
    differences,
    flat,
    newest_checkpoint,
    put_in_place,
)
from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.run_settings import RunSettings
from kdistill_core.distillation.schedule import Stage
from kdistill_core.distillation.validation import ValidationSettings
from tests.distillation.small_runs import HEADS, trainer_for
from tests.distillation.two_processes import KILLED, KILLED_SETTINGS
from training.student_data import DataSettings, ImageFolder
from training.student_settings import ModelSettings, TrainerSettings, configuration_of


def measured(trainer) -> list[dict[str, float]]:
    """What was logged, without the time that it took."""
    return [
        {name: value for name, value in entry.items() if name != "minutes"}
        for entry in trainer.state.log_history
        if "loss" in entry
    ]


def test_a_run_that_was_killed_goes_on_to_the_last_digit(together: Path, tmp_path: Path) -> None:
    whole = trainer_for(tmp_path, KILLED, KILLED_SETTINGS)
    whole.train_on()
    newest, _ = newest_checkpoint(together / "killed")
    assert newest.name != "checkpoint-20"

    again = trainer_for(together / "killed", KILLED, KILLED_SETTINGS)
    again.train_on()
    assert measured(again) == measured(whole)
    weights = [load_file(run / "checkpoint-20" / "model.safetensors") for run in (tmp_path, together / "killed")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_what_is_not_whole_is_passed_over_and_older_ones_are_cleared_away(tmp_path: Path) -> None:
    trainer_for(tmp_path, KILLED, KILLED_SETTINGS).train_on()
    assert sorted(path.name for path in tmp_path.glob("checkpoint-*")) == ["checkpoint-15", "checkpoint-20"]
    assert newest_checkpoint(tmp_path)[0].name == "checkpoint-20"
    weights = tmp_path / "checkpoint-20" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    assert newest_checkpoint(tmp_path)[0].name == "checkpoint-15"
    (tmp_path / "checkpoint-15" / SEAL).unlink()
    assert newest_checkpoint(tmp_path) is None


@pytest.mark.parametrize("what", ["weights", "optimizer"])
def test_a_full_disk_leaves_the_earlier_checkpoint_as_the_newest(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = trainer_for(tmp_path, KILLED, KILLED_SETTINGS)
    write = {"weights": trainer._save, "optimizer": trainer._save_optimizer_and_scheduler}[what]

    def filling(folder: str, *args: object, **named: object) -> None:
        write(folder, *args, **named)
        if trainer.state.global_step == 10:
            (largest,) = sorted(Path(folder).iterdir(), key=lambda path: path.stat().st_size)[-1:]
            largest.write_bytes(largest.read_bytes()[:100])
            raise OSError(28, "No space left on device")

    name = {"weights": "_save", "optimizer": "_save_optimizer_and_scheduler"}[what]
    monkeypatch.setattr(trainer, name, filling)
    with pytest.raises(DistillationError, match=r"step 10 could not be written.*No space left.*checkpoint-5 is still"):
        trainer.train_on()
    assert newest_checkpoint(tmp_path)[0].name == "checkpoint-5"
    assert not list(tmp_path.glob("**/checkpoint-10"))

    again = trainer_for(tmp_path, KILLED, KILLED_SETTINGS)
    again.train_on()
    assert again.state.global_step == 20


def test_a_checkpoint_of_another_configuration_is_refused_with_what_differs(tmp_path: Path) -> None:
    first = {"training": {"seed": 0, "stages": [{"name": "heads", "steps": 5}]}, "model": {"image_size": 64}}
    trainer_for(tmp_path, (HEADS,), configuration=first).train_on()
    other = {"training": {"seed": 1, "stages": [{"name": "heads", "steps": 9}]}, "model": {"image_size": 64}}
    with pytest.raises(
        DistillationError, match=r"training\.seed was 0 and is 1; training\.stages\.0\.steps was 5 and is 9"
    ):
        trainer_for(tmp_path, (HEADS,), configuration=other).train_on()
    with pytest.raises(DistillationError, match="cases_a_step was 4 and is 8"):
        trainer_for(tmp_path, (HEADS,), RunSettings(batch_size=8), configuration=first).train_on()
    # The same cases a step, shared out otherwise, are the same run.
    trainer_for(tmp_path, (HEADS,), RunSettings(batch_size=2, accumulate=2), configuration=first).train_on()


def test_differences_are_told_by_dotted_names() -> None:
    then = flat({"a": {"b": 1, "c": [1, 2]}, "gone": Path("x")})
    now = flat({"a": {"b": 2, "c": [1]}, "new": {}})
    assert differences(then, now) == [
        "a.b was 1 and is 2",
        "a.c.1 was 2 and is not set",
        "gone was x and is not set",
        "new was not set and is {}",
    ]


def test_every_setting_that_a_run_may_have_is_the_same_when_it_is_read_again(tmp_path: Path) -> None:
    stages = [Stage("heads", 5, 1e-3, {"classification": 1.0}, ("vision", "condition_queries")), HEADS]
    settings = TrainerSettings(stages, validation=ValidationSettings(higher_is_better=False))
    data = DataSettings(nih=[ImageFolder(Path("images"), Path("table.csv"))])
    configuration = configuration_of(ModelSettings({"hidden_sizes": [8, 16]}, {}), data, settings)
    arrived = tmp_path / ".arriving" / "checkpoint-5"
    arrived.mkdir(parents=True)
    put_in_place(arrived, Seal.of(arrived, configuration, 0.0), keep=1)
    check_configuration(*newest_checkpoint(tmp_path), configuration)
    moved = configuration_of(ModelSettings({"hidden_sizes": [8, 16]}, {}), data, replace(settings, stages=stages[:1]))
    with pytest.raises(DistillationError, match=r"training\.stages\.1\.final_share was .* and is not set"):
        check_configuration(*newest_checkpoint(tmp_path), moved)


def test_an_interrupted_write_is_no_obstacle(tmp_path: Path) -> None:
    trainer_for(tmp_path, (HEADS,), RunSettings(batch_size=4, save_steps=2)).train_on()
    (tmp_path / ".arriving" / "checkpoint-6").mkdir(parents=True)
    (tmp_path / ".arriving" / "checkpoint-6" / "half").write_text("x")
    shutil.rmtree(tmp_path / "checkpoint-5")
    again = trainer_for(tmp_path, (HEADS,), RunSettings(batch_size=4, save_steps=2))
    again.train_on()
    assert again.state.global_step == 5
    assert not list((tmp_path / ".arriving").glob("*"))
