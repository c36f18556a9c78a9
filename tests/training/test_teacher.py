"""Training a teacher through its entry point: stages, a kill in the middle, two processes, a sharded model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from jsonargparse import ActionConfigFile, ArgumentParser
from safetensors.torch import load_file

from kdistill_core.corpora.packing import blocks_of, write_blocks
from kdistill_core.teacher.model import TeacherModel
from kdistill_core.teacher.tuning.fine_tuning import steps_of
from training.teacher import main, train_teacher

_ROOT = Path(__file__).parents[2]
_TEXT = "Fluid in the pleural space blunts the costophrenic angle of an upright film number {}. "


@pytest.fixture(scope="module")
def corpus(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    tokenizer = TeacherModel.load(tiny_folder).tokenizer
    texts = [_TEXT.format(number) for number in range(120)]
    write_blocks(blocks_of(texts, tokenizer, 64), folder / "training")
    return folder / "training"


def _config(out: Path, base: Path, corpus: Path, *, steps: int, **changes: Any) -> dict[str, Any]:
    training = {"blocks": 4, "accumulate": 1, "learning_rate": 0.01, "save_steps": 4, "log_steps": 1, "warmup": 0.1}
    training |= changes
    processes = 4 // training["blocks"]
    tokens = steps * training["blocks"] * training["accumulate"] * 64 * processes
    stage = {"name": "literature", "corpus": str(corpus), "training": {**training, "tokens": tokens}}
    return {"out": str(out), "base": {"model": str(base)}, "length": 64, "threads": 1, "stages": [stage]}


def _written(config: dict[str, Any], path: Path) -> Path:
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def _losses(out: Path, stage: str = "literature") -> list[float]:
    state = json.loads((out / stage / "trainer_state.json").read_text(encoding="utf-8"))
    return [entry["loss"] for entry in state["log_history"] if "loss" in entry]


def _environment(**more: str) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(_ROOT), **more}


def _run(config: Path, *launcher: str, **environment: str) -> None:
    command = [sys.executable, *launcher, "-m", "training.teacher", "--config", str(config)]
    done = subprocess.run(
        command, cwd=_ROOT, env=_environment(**environment), capture_output=True, timeout=240, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("lora", [None, {"rank": 2, "alpha": 4}])
def test_two_stages_of_whole_models_and_adapters(
    tiny_folder: Path, corpus: Path, tmp_path: Path, lora: dict[str, int] | None
) -> None:
    config = _config(tmp_path / "run", tiny_folder, corpus, steps=6, evaluate_steps=3)
    # A tokenizer of bytes makes long examples.
    training = {**config["stages"][0]["training"], "tokens": 2 * 2048, "blocks": 1}
    config["stages"].append({"name": "rationales", "examples": 4, "training": training})
    config |= {"lora": lora, "length": 2048, "held_out": str(corpus), "held_out_blocks": 4}
    main(["--config", str(_written(config, tmp_path / "config.yaml"))])
    losses = _losses(tmp_path / "run")
    assert losses[-1] < losses[0]
    trained = TeacherModel.load(tmp_path / "run" / "model")
    assert trained.sha256 != TeacherModel.load(tiny_folder).sha256
    assert (trained.adapter is None) is (lora is None)
    assert list((tmp_path / "run" / "literature" / "checkpoints" / "runs").rglob("events.out.tfevents.*"))
    page = (tmp_path / "run" / "training.html").read_text(encoding="utf-8")
    assert "literature" in page
    assert "<svg" in page
    assert "Research software" in page


def test_a_training_killed_in_the_middle_goes_on_with_the_same_losses(
    tiny_folder: Path, corpus: Path, tmp_path: Path
) -> None:
    undisturbed = _config(tmp_path / "whole", tiny_folder, corpus, steps=60)
    main(["--config", str(_written(undisturbed, tmp_path / "whole.yaml"))])
    killed = _config(tmp_path / "killed", tiny_folder, corpus, steps=60)
    path = _written(killed, tmp_path / "killed.yaml")
    command = [sys.executable, "-m", "training.teacher", "--config", str(path)]
    running = subprocess.Popen(command, cwd=_ROOT, env=_environment(), stderr=subprocess.DEVNULL)
    checkpoints = tmp_path / "killed" / "literature" / "checkpoints"
    deadline = time.monotonic() + 120
    while not list(checkpoints.glob("checkpoint-*/trainer_state.json")):
        assert running.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert not (tmp_path / "killed" / "literature" / "trainer_state.json").exists()
    main(["--config", str(path)])
    assert _losses(tmp_path / "killed") == _losses(tmp_path / "whole")
    first, second = (load_file(tmp_path / run / "model" / "model.safetensors") for run in ("whole", "killed"))
    assert all((first[name] == second[name]).all() for name in first)


def test_two_processes_reach_the_loss_of_one(tiny_folder: Path, corpus: Path, tmp_path: Path) -> None:
    one = _config(tmp_path / "one", tiny_folder, corpus, steps=50)
    main(["--config", str(_written(one, tmp_path / "one.yaml"))])
    two = _config(tmp_path / "two", tiny_folder, corpus, steps=50, blocks=2)
    launcher = ("-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29611")
    _run(_written(two, tmp_path / "two.yaml"), *launcher)
    together, alone = _losses(tmp_path / "two"), _losses(tmp_path / "one")
    assert len(together) == len(alone) == 50
    # The log rounds to four digits; 1e-4 is what the issue asks.
    np.testing.assert_allclose(together, alone, atol=1.01e-4)


def test_the_shipped_sharded_configuration_starts_on_two_processes(
    tiny_folder: Path, corpus: Path, tmp_path: Path
) -> None:
    shipped = yaml.safe_load((_ROOT / "training" / "configs" / "accelerate-fsdp.yaml").read_text(encoding="utf-8"))
    config = _config(tmp_path / "sharded", tiny_folder, corpus, steps=5, blocks=2, save_steps=100)
    # On a CPU `accelerate launch` starts one process; torchrun starts two with the same settings in the environment.
    settings = {name.upper(): str(value).lower() for name, value in shipped["fsdp_config"].items()}
    settings["FSDP_AUTO_WRAP_POLICY"] = shipped["fsdp_config"]["fsdp_auto_wrap_policy"]
    settings["FSDP_STATE_DICT_TYPE"] = shipped["fsdp_config"]["fsdp_state_dict_type"]
    launcher = ("-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29612")
    _run(_written(config, tmp_path / "config.yaml"), *launcher, ACCELERATE_USE_FSDP="true", **settings)
    losses = _losses(tmp_path / "sharded")
    one = _config(tmp_path / "one", tiny_folder, corpus, steps=5)
    main(["--config", str(_written(one, tmp_path / "one.yaml"))])
    np.testing.assert_allclose(losses, _losses(tmp_path / "one"), atol=5e-3)


def test_every_shipped_configuration_is_read() -> None:
    parser = ArgumentParser()
    parser.add_function_arguments(train_teacher)
    parser.add_argument("--config", action=ActionConfigFile)
    shipped = sorted((_ROOT / "training" / "configs").glob("teacher-*.yaml"))
    assert len(shipped) > 3
    for path in shipped:
        given = parser.instantiate(parser.parse_args(["--config", str(path)]))
        assert given.stages, path
        assert all(steps_of(stage.training, given.length) > 0 for stage in given.stages)
