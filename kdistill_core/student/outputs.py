"""What the student returns: of the images alone, and with a text."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from transformers.cache_utils import Cache
from transformers.utils.generic import ModelOutput


@dataclass
class ImageEncoding(ModelOutput):
    """What the student saw. Maps are those of a study's first view, usually the current frontal.

    feature_map: [B, C, h, w]; condition_embeddings: [B, K, C]; condition_logits: [B, K], uncalibrated;
    condition_attention: [B, K, h, w], summing over the map to the first view's share, which is 1 where it is the only
    one; explanation_embedding: [B, D], of unit length; visual_tokens: [B, g * g, C], the map pooled to the visual grid;
    view_attention: [B, K, V], each view's share of the attention, summing to 1 over the views;
    condition_explanations: [B, K, D], of unit length, None unless the configuration asks for condition_alignment;
    concept_logits: [B, concepts], None where the configuration names no concepts.
    """

    feature_map: Tensor | None = None
    condition_embeddings: Tensor | None = None
    condition_logits: Tensor | None = None
    condition_attention: Tensor | None = None
    explanation_embedding: Tensor | None = None
    visual_tokens: Tensor | None = None
    view_attention: Tensor | None = None
    condition_explanations: Tensor | None = None
    concept_logits: Tensor | None = None


@dataclass
class StudentOutput(ModelOutput):
    """An :class:`ImageEncoding`'s fields beside the language model's: logits [B, T, V] of the text positions."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    past_key_values: Cache | None = None
    condition_logits: Tensor | None = None
    condition_attention: Tensor | None = None
    explanation_embedding: Tensor | None = None
    feature_map: Tensor | None = None
    view_attention: Tensor | None = None
    condition_explanations: Tensor | None = None
    concept_logits: Tensor | None = None
