"""A miniature of the experiment: a few phantoms, a student of two blocks, a handful of steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdistill_core.teacher.library import RationaleLibrary
from training.experiment.settings import (
    BudgetSettings,
    CaseSettings,
    Choice,
    ExperimentSettings,
    LabelSettings,
    Noise,
    StudentSettings,
    TuningSettings,
)

_SIDE = 32


@pytest.fixture(scope="session")
def library() -> RationaleLibrary:
    return RationaleLibrary.load()


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> ExperimentSettings:
    student = StudentSettings(
        backbone={
            "model_type": "resnet", "num_channels": 1, "embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1],
            "layer_type": "basic", "out_features": ["stage1", "stage2"],
        },
        text={
            "model_type": "llama", "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
            "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 64,
        },
        image_size=_SIDE, feature_size=16, vocabulary=300, text_length=32,
    )  # fmt: skip
    return ExperimentSettings(
        student,
        noises=(Noise("low", 0.1), Noise("high", 0.5)),
        arms=("b", "d+"),
        seeds=2,
        cases=CaseSettings(
            train=30, validation=24, test=24, side=64, cache=tmp_path_factory.mktemp("cache"), workers=1
        ),
        budget=BudgetSettings(heads=2, decoder=2, all=2, batch_size=8, validation_steps=2, log_steps=1),
        labels=LabelSettings(folds=2),
        tuning=TuningSettings((Choice(1, 0.8), Choice(2, 0)), (Choice(1, 0), Choice(2, 0)), ("low",)),
        decoding_samples=2,
        variants=2,
        resamples=50,
    )


@pytest.fixture(scope="session")
def reports_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reports")
