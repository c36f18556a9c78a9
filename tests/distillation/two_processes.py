"""What runs under torchrun for the tests: a training that is killed, one copied over two processes, one sharded.

They share one start, because importing takes longer than all of them.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import yaml
from accelerate import PartialState
from accelerate.state import AcceleratorState

from kdistill_core.distillation.run_settings import RunSettings
from kdistill_core.distillation.schedule import Stage
from kdistill_core.distillation.trainer import DistillationTrainer
from kdistill_core.distillation.validation import Validation, ValidationSettings
from tests.distillation.small_runs import ALL, trainer_for

CONFIGS = Path(__file__).parents[2] / "training" / "configs"
STAGES = (Stage("heads", 10, 1e-3, {"classification": 1.0}), Stage("all", 40, 1e-3, ALL))
# Two stages, with dropout, augmentation, draws of what is told, and accumulation.
KILLED = (Stage("heads", 8, 1e-3, {"classification": 1.0}), Stage("all", 12, 1e-3, ALL, ("vision",)))
KILLED_SETTINGS = RunSettings(batch_size=2, accumulate=2, save_steps=5, log_steps=1)
SHARDED = (Stage("heads", 10, 1e-3, {"classification": 1.0}, ("language_model",)), Stage("all", 40, 1e-3, ALL))


def logged(trainer: DistillationTrainer) -> list[dict[str, float]]:
    return [entry for entry in trainer.state.log_history if "loss" in entry]


def run(out: Path, stages: tuple[Stage, ...], batch_size: int) -> list[dict[str, float]]:
    """Train, measuring at the end as a real run does, and return what was logged."""
    settings = RunSettings(batch_size=batch_size, log_steps=1, save_steps=1000, gradient_norm_steps=25)
    trainer = trainer_for(out / "checkpoints", stages, settings, undisturbed=True)

    def validate(student) -> dict[str, float]:
        import torch

        with torch.no_grad():
            encoding = student.encode(torch.zeros(1, 1, 64, 64))
        return {"mean AUC": float(encoding.condition_logits.mean())}

    processor = trainer.data_collator.processor
    validation = Validation(trainer, validate, ValidationSettings(steps=1000), processor, out, lambda line: None)
    trainer.add_callback(validation)
    trainer.train_on()
    validation.finish()
    return logged(trainer)


def killed_run(out: Path) -> None:
    """Start a training by itself and kill it when its first checkpoint is there."""
    child = os.fork()
    if child == 0:
        for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
            os.environ.pop(name, None)
        trainer_for(out, KILLED, KILLED_SETTINGS).train_on()
        os._exit(0)
    while not list(out.glob("checkpoint-*")):
        if os.waitpid(child, os.WNOHANG) != (0, 0):
            raise RuntimeError("The training ended before it had a checkpoint.")
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def launched_with(configuration: Path) -> dict[str, str]:
    """Return what `accelerate launch` puts into the environment for a shipped configuration of sharding."""
    sharding = yaml.safe_load(configuration.read_text(encoding="utf-8"))["fsdp_config"]
    kept = ("fsdp_auto_wrap_policy", "fsdp_state_dict_type")
    settings = {name.upper(): str(value) if name in kept else str(value).lower() for name, value in sharding.items()}
    return {"ACCELERATE_USE_FSDP": "true", **settings}


def main(out: Path) -> None:
    if os.environ["RANK"] == "0":
        killed_run(out / "killed")
    state = PartialState(cpu=True)
    found = {"copied": run(out / "copied", STAGES, 2)}
    os.environ.update(launched_with(CONFIGS / "accelerate-fsdp.yaml"))
    AcceleratorState._reset_state()
    found["sharded"] = run(out / "sharded", SHARDED, 2)
    if state.is_main_process:
        (out / "logged.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
