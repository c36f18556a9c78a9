"""The whole road of a student, from nothing to a measured checkpoint, on a handful of phantoms."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from jsonargparse import ActionConfigFile, ArgumentParser

from kdistill_core.conditions import CONDITIONS
from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.objective import ClassificationSettings
from kdistill_core.distillation.run_settings import RunSettings
from kdistill_core.distillation.schedule import Stage
from kdistill_core.distillation.validation import ValidationSettings
from kdistill_core.student.errors import StudentError
from kdistill_core.student.loading import load_student, weights_sha256
from training.evaluate_student import METRICS_FILE
from training.student import new_student, start_from, train_student
from training.student_card import CARD_FILE
from training.student_data import DataSettings, PhantomSettings
from training.student_settings import ModelSettings, PositiveWeights, TrainerSettings, configuration_of

_CONFIGS = Path(__file__).parents[2] / "training" / "configs"
MODEL = ModelSettings(
    backbone={
        "model_type": "resnet", "num_channels": 1, "embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1],
        "layer_type": "basic", "out_features": ["stage1", "stage2"],
    },
    text={
        "model_type": "llama", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 512,
    },
    image_size=64, feature_size=32, vocabulary=400,
)  # fmt: skip
STAGES = [
    Stage("heads", 4, 1e-3, {"classification": 5.0}),
    Stage("all", 4, 1e-3, {"classification": 5.0, "generation": 1.0}),
]


@pytest.mark.timeout(300)
def test_a_student_is_trained_measured_installed_and_described(tmp_path: Path) -> None:
    data = DataSettings(PhantomSettings(train=24, validation=12, test=12, side=64), cache=tmp_path / "cache", workers=1)
    training = TrainerSettings(
        STAGES,
        RunSettings(batch_size=8, log_steps=1, save_steps=4, gradient_norm_steps=2),
        ValidationSettings(steps=4),
        set_shares={"phantom": 1.0},
        balance=0.5,
        reliance_cases=12,
    )
    train_student(tmp_path / "run", MODEL, data, training, install=tmp_path / "installed")

    page = (tmp_path / "run" / "training.html").read_text(encoding="utf-8")
    assert "Research software" in page
    for title in ("Terms", "Weighted terms", "Gradients on the encoder", "Learning rate", "Image reliance"):
        assert f"<h2>{title}</h2>" in page
    assert "8 of 8 steps" in page
    assert page.count("<svg") == 8
    assert list((tmp_path / "run").rglob("events.out.tfevents.*"))

    model, processor = load_student(tmp_path / "installed")
    assert processor.image_size == 64
    assert len(model.config.thresholds) == len(CONDITIONS)
    assert all(0 < threshold < 1 for threshold in model.config.thresholds)

    metrics = msgspec.json.decode((tmp_path / "installed" / METRICS_FILE).read_bytes())
    assert metrics["weights_sha256"] == weights_sha256(tmp_path / "installed")
    (phantom,) = metrics["sets"]
    assert phantom["images"] == phantom["patients"] == 12
    scored = {(score["metric"], score["scope"], score["convention"]): score for score in phantom["scores"]}
    for name in (("AUC", "micro", None), ("text F1", "macro over 14", "positive only")):
        score = scored[name]
        assert score["interval"]["low"] <= score["value"] <= score["interval"]["high"]
        assert "shuffled images" in {baseline["name"] for baseline in score["baselines"]}

    card = (tmp_path / "installed" / CARD_FILE).read_text()
    assert "Not for diagnosis" in card
    assert "12 images of 12 patients" in card
    assert metrics["weights_sha256"] in card

    # Another run goes on from these weights, and from their tokenizer.
    begun = new_student(MODEL, training, processor, model.config.alignment_size)
    start_from(tmp_path / "installed", begun)
    assert all(torch.equal(value, begun.state_dict()[name]) for name, value in model.state_dict().items())
    other = new_student(replace(MODEL, feature_size=16), training, processor, model.config.alignment_size)
    with pytest.raises(DistillationError, match=r"installed has another shape: \d+ weights differ"):
        start_from(tmp_path / "installed", other)
    still = replace(training, stages=[Stage("all", 2, 1e-12, {"classification": 5.0, "generation": 1.0})])
    # Weights and tokenizer know no image size, so that another one may follow.
    train_student(tmp_path / "second", replace(MODEL, image_size=48), data, still, start=tmp_path / "installed")
    assert load_student(tmp_path / "second" / "model")[1].image_size == 48
    with pytest.raises(StudentError, match=r"nowhere holds no safetensors"):
        train_student(tmp_path / "third", MODEL, data, still, start=tmp_path / "nowhere")
    assert not (tmp_path / "third").exists()
    files = [folder / "tokenizer.json" for folder in (tmp_path / "installed", tmp_path / "second" / "model")]
    assert files[0].read_bytes() == files[1].read_bytes()
    went_on = load_student(tmp_path / "second" / "model")[0]
    for (name, before), (_, after) in zip(model.named_parameters(), went_on.named_parameters(), strict=True):
        torch.testing.assert_close(before, after, rtol=0, atol=1e-9, msg=name)
    assert metrics["weights_sha256"] in (tmp_path / "second" / "model" / CARD_FILE).read_text()


def test_what_may_change_while_a_run_goes_on_is_no_part_of_its_configuration() -> None:
    data, training = DataSettings(PhantomSettings(train=24)), TrainerSettings(STAGES)
    settled = configuration_of(MODEL, data, training)
    faster = replace(training, max_minutes=5.0, run=RunSettings(batch_size=4, save_steps=9))
    assert configuration_of(MODEL, replace(data, workers=7), faster) == settled
    for other in (replace(training, balance=0.5), replace(training, run=RunSettings(seed=1))):
        assert configuration_of(MODEL, data, other) != settled
    assert configuration_of(replace(MODEL, image_size=128), data, training) != settled


def test_positives_that_are_rare_among_the_training_labels_weigh_more_where_that_is_asked_for() -> None:
    labels = np.zeros((20, len(CONDITIONS)), dtype=np.float32)
    labels[:5, 0] = 1.0  # 5 against 12, and 3 that do not count
    labels[17:, 0] = [np.nan, -1.0, np.nan]
    focal = ClassificationSettings(focusing=2.0)
    training = TrainerSettings(STAGES, classification=focal)
    assert training.objective_on(labels) == training.objective
    assert training.objective.classification == focal
    balanced = replace(training, positive_weights=PositiveWeights.BALANCED).objective_on(labels)
    assert balanced.classification.positive_weights == pytest.approx([12 / 5] + [1.0] * (len(CONDITIONS) - 1))
    assert replace(balanced, classification=focal) == training.objective


def test_weights_of_positives_that_are_given_are_not_balanced_over() -> None:
    given = ClassificationSettings(positive_weights=(2.0,) * len(CONDITIONS))
    training = TrainerSettings(STAGES, classification=given, positive_weights=PositiveWeights.BALANCED)
    with pytest.raises(DistillationError, match="are given") as refusal:
        training.objective_on(np.zeros((1, len(CONDITIONS)), dtype=np.float32))
    assert "classification.positive_weights" in refusal.value.advice


def test_the_shipped_configurations_are_read() -> None:
    parser = ArgumentParser()
    parser.add_function_arguments(train_student)
    parser.add_argument("--config", action=ActionConfigFile)
    demo, at_256 = (str(_CONFIGS / f"{name}.yaml") for name in ("student-demo", "student-256"))
    given = parser.instantiate(parser.parse_args(["--config", demo]))
    assert [stage.name for stage in given.training.schedule.stages] == ["heads", "decoder", "all"]
    assert given.training.schedule.steps == 2500
    assert given.training.run.bf16
    larger = parser.instantiate(parser.parse_args(["--config", at_256]))
    assert larger.model.image_size == 256
    assert [stage.name for stage in larger.training.schedule.stages] == ["heads", "decoder", "all"]
    # Where images of several sizes are enlarged to one, their sharpness tells which set they are of.
    assert len(larger.data.nih) == 1
    # What a second file does not say is as in the first.
    both = parser.instantiate(parser.parse_args(["--config", demo, "--config", at_256]))
    assert both.training == larger.training
    assert both.install == given.install
