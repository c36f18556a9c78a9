"""The trainer: stages that freeze, what a step averages over, and what ends a run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import TrainerCallback

from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.faults import is_out_of_memory, out_of_memory
from kdistill_core.distillation.run_settings import RunSettings
from kdistill_core.distillation.schedule import Schedule, Stage
from kdistill_core.distillation.validation import BEST, LAST, SCORE_FILE, Budget, Validation, ValidationSettings
from kdistill_core.student.loading import load_student
from tests.distillation.small_runs import ALL, HEADS, cases, trainer_for


def losses(trainer) -> list[float]:
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def test_a_frozen_module_does_not_move_and_the_others_do(tmp_path: Path) -> None:
    stage = Stage("decoder", 3, 1e-2, {"generation": 1.0}, ("vision", "condition_queries"))
    trainer = trainer_for(tmp_path, (stage,))
    before = {name: value.clone() for name, value in trainer.student.state_dict().items()}
    trainer.train_on()
    moved = {name for name, value in trainer.student.state_dict().items() if not torch.equal(value, before[name])}
    # Batch statistics of the frozen backbone stand still as well.
    assert not [name for name in moved if name.startswith(("vision", "condition_queries"))]
    assert [name for name in moved if name.startswith("language_model")]


def test_stages_follow_each_other_with_their_own_rates_and_terms(tmp_path: Path) -> None:
    stages = (HEADS, Stage("all", 2, 1e-4, ALL, warmup=0.0, final_share=1.0))
    trainer = trainer_for(tmp_path, stages)
    trainer.train_on()
    logged = [entry for entry in trainer.state.log_history if "loss" in entry]
    assert ["generation/raw" in entry for entry in logged] == [False] * HEADS.steps + [True] * 2
    schedule = Schedule(stages)
    # transformers reports the rate of the step that is done.
    assert [entry["learning_rate"] for entry in logged] == [schedule.learning_rate(step) for step in range(len(logged))]
    for entry in logged:
        weighted = sum(value for name, value in entry.items() if name.endswith("/weighted"))
        assert entry["loss"] == pytest.approx(weighted, abs=2e-4)


def test_accumulated_batches_teach_as_one_batch_would(tmp_path: Path) -> None:
    # Blank labels and texts of unequal length make batches of unequally many items.
    # The backbone's batch statistics know no other micro-batch.
    stages = (Stage("all", 4, 1e-3, {"classification": 5.0, "generation": 1.0}, ("vision",)),)
    runs = []
    for name, (size, accumulate) in {"whole": (8, 1), "parts": (2, 4)}.items():
        settings = RunSettings(batch_size=size, accumulate=accumulate, log_steps=1)
        trainer = trainer_for(tmp_path / name, stages, settings, undisturbed=True)
        trainer.train_on()
        runs.append((losses(trainer), trainer.student.state_dict()))
    (whole, weights), (parts, others) = runs
    np.testing.assert_allclose(parts, whole, rtol=1e-5)
    assert all(torch.allclose(weights[name], others[name], atol=2e-4) for name in weights)


def test_gradient_norms_are_reported_every_so_many_steps(tmp_path: Path) -> None:
    settings = RunSettings(batch_size=4, log_steps=1, gradient_norm_steps=2)
    trainer = trainer_for(tmp_path, (Stage("all", 4, 1e-3, ALL),), settings)
    trainer.train_on()
    logged = [entry for entry in trainer.state.log_history if "loss" in entry]
    assert ["alignment/gradient_norm" in entry for entry in logged] == [True, False, True, False]


def test_a_loss_that_is_no_number_ends_the_run_with_its_batch_saved_without_names(tmp_path: Path) -> None:
    from safetensors import safe_open

    trainer = trainer_for(tmp_path, (HEADS,))
    with torch.no_grad():
        trainer.student.condition_queries.bias[3] = float("nan")
    with pytest.raises(DistillationError, match=r"The loss is nan at step 1.*nonsense-step-1\.safetensors") as raised:
        trainer.train_on()
    path = tmp_path / "nonsense-step-1.safetensors"
    assert str(path) in raised.value.problem
    with safe_open(path, "pt") as stored:
        assert stored.get_tensor("pixel_values").shape == (4, 1, 64, 64)
        assert len(set(stored.get_tensor("case_keys").tolist())) == 4
    assert b"patient-" not in path.read_bytes()
    assert not list(tmp_path.glob("checkpoint-*"))


def test_a_gradient_that_is_no_number_ends_the_run_before_it_reaches_the_weights(tmp_path: Path) -> None:
    trainer = trainer_for(tmp_path, (HEADS,), cases=cases(broken=True))
    with pytest.raises(DistillationError, match=r"The gradient's norm is nan at step 1"):
        trainer.train_on()
    assert all(parameter.isfinite().all() for parameter in trainer.student.parameters())


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: not enough memory"),
    ],
)
def test_memory_that_ran_out_is_known_on_every_device(error: Exception) -> None:
    assert is_out_of_memory(error)
    assert not is_out_of_memory(RuntimeError("shapes cannot be multiplied"))


def test_memory_that_the_allocator_refuses_is_known() -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(raised.value)


def test_when_memory_runs_out_the_setting_to_lower_and_the_last_checkpoint_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = trainer_for(tmp_path, (HEADS,), RunSettings(batch_size=4, save_steps=2, log_steps=1))
    step = trainer.training_step

    def failing(*args: object) -> torch.Tensor:
        if trainer.state.global_step == 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return step(*args)

    monkeypatch.setattr(trainer, "training_step", failing)
    with pytest.raises(DistillationError, match=r"checkpoint-2.*`batch_size` to 2.*`accumulate` to 2"):
        trainer.train_on()
    assert (tmp_path / "checkpoint-2").is_dir()


@pytest.mark.parametrize(
    ("size", "accumulate", "fewer", "more"), [(32, 1, 16, 2), (5, 1, 1, 5), (15, 2, 5, 6), (2, 4, 1, 8)]
)
def test_a_lowered_batch_leaves_a_step_the_cases_that_its_checkpoint_asks_for(
    size: int, accumulate: int, fewer: int, more: int
) -> None:
    advice = out_of_memory(size, accumulate, None).advice
    assert f"Lower `batch_size` to {fewer} and raise `accumulate` to {more}:" in advice
    assert fewer * more == size * accumulate


def test_another_error_is_not_taken_for_one_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = trainer_for(tmp_path, (HEADS,))

    def failing(*args: object) -> None:
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(trainer, "training_step", failing)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        trainer.train_on()


class Clock(TrainerCallback):
    """Lets hours pass at a step."""

    def __init__(self, trainer, step: int) -> None:
        self._trainer, self._step = trainer, step

    def on_step_begin(self, args, state, control, **kwargs) -> None:
        if state.global_step == self._step:
            self._trainer._started -= 3600


def test_minutes_end_a_run_early_and_more_of_them_let_it_go_on(tmp_path: Path) -> None:
    said: list[str] = []
    trainer = trainer_for(tmp_path, (HEADS,), minutes=30)
    trainer.add_callback(Clock(trainer, 2))
    trainer.add_callback(Budget(trainer, said.append))
    trainer.train_on()
    assert trainer.state.global_step == 3
    assert said == ["max_minutes (30) are over: training ends early, at step 3 of 5"]
    assert (tmp_path / "checkpoint-3").is_dir()

    same = trainer_for(tmp_path, (HEADS,), minutes=30)
    same.train_on()
    assert same.state.global_step == 3
    more = trainer_for(tmp_path, (HEADS,), minutes=90)
    more.add_callback(Budget(more, said.append))
    more.train_on()
    assert more.state.global_step == 5
    assert more.minutes > 60


def validated(trainer, out: Path, scores: list[float], **settings: object) -> tuple[Validation, list[str]]:
    said: list[str] = []
    each = iter(scores)

    def validate(model) -> dict[str, float]:
        assert not model.training
        torch.rand(100)  # must not change what is trained afterwards
        return {"mean AUC": next(each), "other": 0.5}

    processor = trainer.data_collator.processor
    chosen = ValidationSettings(**{"steps": 1, **settings})
    validation = Validation(trainer, validate, chosen, processor, out, said.append)
    trainer.add_callback(validation)
    return validation, said


def test_the_best_weights_of_the_last_stage_and_the_last_ones_are_kept(tmp_path: Path) -> None:
    stages = (Stage("heads", 2, 1e-3, {"classification": 1.0}), Stage("all", 3, 1e-3, {"classification": 1.0}))
    trainer = trainer_for(tmp_path / "run", stages)
    validation, said = validated(trainer, tmp_path, [0.99, 0.98, 0.5, 0.9, 0.7])
    trainer.train_on()
    validation.finish()
    record = json.loads((tmp_path / BEST / SCORE_FILE).read_text())
    assert (record["step"], record["score"]) == (4, 0.9)
    best, _ = load_student(tmp_path / BEST)
    last, _ = load_student(tmp_path / LAST)
    assert not torch.equal(best.condition_queries.queries, last.condition_queries.queries)
    assert torch.equal(last.condition_queries.queries, trainer.student.condition_queries.queries)
    assert len([line for line in said if line.startswith("validation at step")]) == 5


def test_a_full_disk_leaves_the_best_weights_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = trainer_for(tmp_path / "run", (Stage("heads", 2, 1e-3, {"classification": 1.0}),))
    validated(trainer, tmp_path, [0.5, 0.9])
    write = trainer.student.save_pretrained

    def filling(folder: Path, **named: object) -> None:
        write(folder, **named)
        if trainer.state.global_step == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(trainer.student, "save_pretrained", filling)
    with pytest.raises(DistillationError, match=r"could not be kept in .*best: .*No space left.*Free disk space"):
        trainer.train_on()
    assert json.loads((tmp_path / BEST / SCORE_FILE).read_text())["step"] == 1
    load_student(tmp_path / BEST)
    assert {path.name for path in tmp_path.iterdir()} == {"run", BEST}


def test_a_score_that_is_better_low_is_chosen_so(tmp_path: Path) -> None:
    trainer = trainer_for(tmp_path / "run", (Stage("heads", 3, 1e-3, {"classification": 1.0}),))
    validated(trainer, tmp_path, [0.9, 0.2, 0.5], higher_is_better=False)
    trainer.train_on()
    assert json.loads((tmp_path / BEST / SCORE_FILE).read_text())["step"] == 2


def test_patience_ends_a_training_for_good(tmp_path: Path) -> None:
    stages = (Stage("heads", 20, 1e-3, {"classification": 1.0}),)
    trainer = trainer_for(tmp_path / "run", stages)
    _, said = validated(trainer, tmp_path, [0.5, 0.9, 0.8, 0.7, 0.6], patience=2)
    trainer.train_on()
    assert trainer.state.global_step == 4
    assert said[-1] == "no better mean AUC in 2 measurements: training ends at step 4"
    again = trainer_for(tmp_path / "run", stages)
    again.train_on()
    assert again.state.global_step == 4
    assert torch.equal(again.student.condition_queries.queries, trainer.student.condition_queries.queries)


def test_measuring_changes_nothing_of_what_is_trained(tmp_path: Path) -> None:
    stages = (Stage("all", 3, 1e-3, ALL),)
    plain, measured = trainer_for(tmp_path / "plain", stages), trainer_for(tmp_path / "measured", stages)
    validated(measured, tmp_path, [0.1, 0.2, 0.3])
    plain.train_on()
    measured.train_on()
    assert losses(plain) == losses(measured)


def test_a_score_that_is_not_measured_is_refused_with_those_that_are(tmp_path: Path) -> None:
    trainer = trainer_for(tmp_path / "run", (HEADS,))
    validated(trainer, tmp_path, [0.5], score="F1")
    with pytest.raises(DistillationError, match="mean AUC, other"):
        trainer.train_on()
