"""The whole road of a student, from nothing to a measured checkpoint, on a handful of phantoms."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from kdistill_core.conditions import CONDITIONS
from kdistill_core.distillation.schedule import Stage
from kdistill_core.student.loading import load_student, weights_sha256
from training.evaluate_student import METRICS_FILE
from training.student import ModelSettings, TrainerSettings, train_student
from training.student_card import CARD_FILE
from training.student_data import DataSettings, PhantomSettings

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
    Stage("heads", 0.5, 1e-3, {"classification": 5.0}),
    Stage("all", 0.5, 1e-3, {"classification": 5.0, "generation": 1.0}),
]


@pytest.mark.timeout(300)
def test_a_student_is_trained_measured_installed_and_described(tmp_path: Path) -> None:
    data = DataSettings(PhantomSettings(train=24, validation=12, test=12, side=64), cache=tmp_path / "cache", workers=1)
    # The clock decides: two hundredths of a minute are a few steps.
    training = TrainerSettings(0.02, STAGES, batch_size=8, set_shares={"phantom": 1.0}, log_steps=1)
    train_student(tmp_path / "run", MODEL, data, training, install=tmp_path / "installed")

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
