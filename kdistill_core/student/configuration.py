"""The student's configuration: a backbone's and a causal language model's, and what joins them."""

from __future__ import annotations

from typing import Any, ClassVar

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, PreTrainedConfig
from transformers.configuration_utils import SubConfigSpec

from kdistill_core.conditions import CONDITIONS
from kdistill_core.student.errors import StudentError


@strict
class StudentConfig(PreTrainedConfig):
    """Everything that shapes a :class:`~kdistill_core.student.modeling.StudentModel`.

    backbone_config: any transformers image backbone; its ``out_features`` are fused at the resolution of the first.
    text_config: any transformers causal language model.
    conditions: names of the condition queries, in order.
    image_size: side of the square model input in pixels.
    feature_size: channels of the fused feature map and width of the queries.
    query_heads: attention heads of the condition queries.
    visual_grid: side of the grid of pooled visual tokens that join the queries in the language model's prefix.
    alignment_size: width of the explanation embedding; that of the teacher's rationale embedding.
    dropout: of the query and projector outputs, in training.
    calibration_slope, calibration_intercept: per condition, probability = sigmoid(slope * logit + intercept), fitted on
        held-out cases after training; 1 and 0 before that.
    calibration_method, calibration_fitted_on, calibration_cases: how, on which data sets and split, and per condition
        on how many labeled cases; empty or None where that is not known. Read and written by
        :mod:`kdistill_core.evaluation.stored_calibration`.
    thresholds: per condition, the calibrated probability from which on it counts as present.
    state_sharpness: slope at the threshold of the soft decision that the language model is told; see ``StudentModel``.
    views: how many kinds of view a study may have; see :mod:`kdistill_core.student.views`. 1 has no view embedding.
    condition_alignment: whether there is an explanation embedding per condition.
    concepts: names of the extra binary targets, in order; empty for none.
    channel_scale, channel_shift: the backbone gets ``scale * pixel + shift`` of each of its channels, for backbones
        that were trained on other pixels than the processor's; None for 1 and 0.
    lora: adapter of the language model; see :mod:`kdistill_core.student.adapters`. None without one.
    """

    model_type: ClassVar[str] = "kdistill_student"
    sub_configs_defaults: ClassVar[dict[str, SubConfigSpec]] = {
        "backbone_config": SubConfigSpec(
            config_class=AutoConfig,
            model_type="resnet",
            init_kwargs={
                "num_channels": 1,
                "embedding_size": 32,
                "hidden_sizes": [32, 64, 128, 256],
                "depths": [2, 2, 2, 2],
                "layer_type": "basic",
                "out_features": ["stage2", "stage3", "stage4"],
            },
        ),
        "text_config": SubConfigSpec(config_class=AutoConfig, model_type="llama"),
    }

    backbone_config: dict[str, Any] | PreTrainedConfig | None = None
    text_config: dict[str, Any] | PreTrainedConfig | None = None
    conditions: list[str] | tuple[str, ...] = tuple(condition.value for condition in CONDITIONS)
    image_size: int = 160
    feature_size: int = 192
    query_heads: int = 2
    visual_grid: int = 3
    alignment_size: int = 384
    dropout: float = 0.1
    calibration_slope: list[float] | tuple[float, ...] | None = None
    calibration_intercept: list[float] | tuple[float, ...] | None = None
    calibration_method: str = ""
    calibration_fitted_on: str = ""
    calibration_cases: list[int] | tuple[int, ...] | None = None
    thresholds: list[float] | tuple[float, ...] | None = None
    state_sharpness: float = 4.0
    views: int = 1
    condition_alignment: bool = False
    concepts: list[str] | tuple[str, ...] = ()
    channel_scale: list[float] | tuple[float, ...] | None = None
    channel_shift: list[float] | tuple[float, ...] | None = None
    lora: dict[str, Any] | None = None
    tie_word_embeddings: bool = True

    def __post_init__(self, **kwargs: Any) -> None:
        super().__post_init__(**kwargs)  # type: ignore[no-untyped-call]
        count = len(self.conditions)
        self.calibration_slope = list(self.calibration_slope or [1.0] * count)
        self.calibration_intercept = list(self.calibration_intercept or [0.0] * count)
        self.thresholds = list(self.thresholds or [0.5] * count)
        self.tie_word_embeddings = bool(self.text_config.tie_word_embeddings)  # type: ignore[union-attr]
        self.concepts = list(self.concepts)
        self._check()

    def _check(self) -> None:
        if self.views < 1:
            raise StudentError(f"A student of {self.views} kinds of view sees nothing.", "Set `views` to 1 or more.")
        if len(set(self.concepts)) < len(self.concepts):
            twice = sorted(name for name in set(self.concepts) if list(self.concepts).count(name) > 1)
            raise StudentError(f"The concept {twice[0]!r} is named twice.", "Name every concept once.")
        channels = getattr(self.backbone_config, "num_channels", 3)
        for name in ("channel_scale", "channel_shift"):
            given = getattr(self, name)
            if given is not None and len(given) != channels:
                raise StudentError(
                    f"`{name}` has {len(given)} values, the backbone {channels} channels.", "Give one per channel."
                )

    @property
    def prefix_length(self) -> int:
        """How many embeddings stand before the text: the queries and the pooled visual tokens."""
        return len(self.conditions) + self.visual_grid**2


def tiny_config(vocab_size: int = 300, image_size: int = 64) -> StudentConfig:
    """Return the configuration of a student of about 0.1 million parameters, for tests and smoke runs."""
    return StudentConfig(
        backbone_config={
            "model_type": "resnet",
            "num_channels": 1,
            "embedding_size": 8,
            "hidden_sizes": [8, 16],
            "depths": [1, 1],
            "layer_type": "basic",
            "out_features": ["stage1", "stage2"],
        },
        text_config={
            "model_type": "llama",
            "vocab_size": vocab_size,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "max_position_embeddings": 512,
            "tie_word_embeddings": True,
            "bos_token_id": 0,
            "eos_token_id": 1,
            "pad_token_id": 2,
        },
        image_size=image_size,
        feature_size=32,
        visual_grid=2,
        alignment_size=16,
    )
