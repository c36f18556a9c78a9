"""The student as a transformers model: it looks at a radiograph, decides on 14 conditions and writes why.

A backbone's feature map is read by one query per condition. The query embeddings, what was decided of each condition
and a coarse grid of the map become the prefix of a causal language model, so that every word of the rationale is
grounded in what the queries saw. ``logits`` and ``labels`` are those of the text alone: the prefix lies inside the
model and does not count as positions of ``input_ids``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint
from transformers import AutoModelForCausalLM, GenerationMixin, PreTrainedModel
from transformers import initialization as init
from transformers.cache_utils import Cache

from kdistill_core.conditions import Condition
from kdistill_core.labeling import IMPLIED
from kdistill_core.student.adapters import insert_lora
from kdistill_core.student.configuration import StudentConfig
from kdistill_core.student.errors import StudentError
from kdistill_core.student.heads import ConceptHead
from kdistill_core.student.outputs import ImageEncoding, StudentOutput
from kdistill_core.student.ragged import logits_of_unequal, worth_splitting
from kdistill_core.student.recomputing import without_moving_statistics
from kdistill_core.student.views import ABSENT, StudyViews, ViewEmbedding, study_views
from kdistill_core.student.vision import ConditionQueries, FeatureMap

__all__ = ["ImageEncoding", "StudentModel", "StudentOutput"]

# A device does not make a radiograph abnormal, so these do not count against No Finding.
_NOT_ABNORMAL = frozenset({Condition.SUPPORT_DEVICES.value, Condition.NO_FINDING.value})
# What makes up the prefix; once that is cached, generation goes on without them.
_PREFILL_ONLY = frozenset({"pixel_values", "view_ids", "view_times", "prefix_embeds", "condition_states"})


def _is_abnormal(name: str) -> bool:
    return name not in _NOT_ABNORMAL


class StudentModel(PreTrainedModel, GenerationMixin):
    """Backbone, condition queries, projector, causal language model and alignment head.

    The prefix carries a state in [0, 1] per condition: in training the target's, at inference the student's own,
    a sigmoid of its calibrated logit's distance from the threshold. So the text argues for what was decided.
    """

    config: StudentConfig
    config_class = StudentConfig
    base_model_prefix = ""
    main_input_name = "input_ids"
    input_modalities = ["image", "text"]  # noqa: RUF012 - the library declares a list
    supports_gradient_checkpointing = True
    _no_split_modules = ["ConditionQueries"]  # noqa: RUF012 - the library declares a list

    def __init__(self, config: StudentConfig) -> None:
        super().__init__(config)
        text_width = config.text_config.hidden_size  # type: ignore[union-attr]
        count, width = len(config.conditions), config.feature_size
        self.vision = FeatureMap(config)
        self.condition_queries = ConditionQueries(config)
        self.projector = nn.Sequential(nn.Linear(width, text_width), nn.GELU(), nn.Linear(text_width, text_width))
        self.state_present = nn.Parameter(torch.empty(count, text_width))
        self.state_absent = nn.Parameter(torch.empty(count, text_width))
        self.prefix_norm = nn.LayerNorm(text_width)
        self.alignment_head = nn.Sequential(
            nn.Linear(2 * width, width), nn.GELU(), nn.Linear(width, config.alignment_size)
        )
        self.view_embedding = ViewEmbedding(config.views, width) if config.views > 1 else None
        self.condition_alignment_head = (
            nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, config.alignment_size))
            if config.condition_alignment
            else None
        )
        self.concept_head = ConceptHead(count, width, len(config.concepts)) if config.concepts else None
        self.language_model = AutoModelForCausalLM.from_config(config.text_config)
        if config.lora is not None:
            insert_lora(self.language_model, config.lora)
        self.post_init()  # type: ignore[no-untyped-call]

    @property
    def feature_layer(self) -> nn.Module:
        """The module whose output is the feature map [B, C, h, w]: the layer for Grad-CAM."""
        return self.vision.fuse

    def get_input_embeddings(self) -> nn.Module:
        return self.language_model.get_input_embeddings()  # type: ignore[no-any-return]

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.language_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module:
        return self.language_model.get_output_embeddings()  # type: ignore[no-any-return]

    def enable_input_require_grads(self) -> None:
        # Of the text alone: the images' own embeddings may return more than a tensor, which the library cannot take.
        self.language_model.enable_input_require_grads()

    def disable_input_require_grads(self) -> None:
        self.language_model.disable_input_require_grads()

    def encode(
        self, pixel_values: Tensor, view_ids: Tensor | None = None, view_times: Tensor | None = None
    ) -> ImageEncoding:
        """Look at ``pixel_values`` float [B, 1, S, S], as the processor makes them; no text is involved.

        A student of several views also looks at [B, V, 1, S, S] with their kinds ``view_ids`` and times ``view_times``
        [B, V]; see :func:`~kdistill_core.student.views.study_views`. What makes up the text's prefix beside the
        queries, and every map, is of the first view; how the queries' attention falls on all views is
        ``view_attention``. Raises StudentError where the views do not fit together.
        """
        views = study_views(pixel_values, view_ids, view_times, self.config.views)
        feature_map, embeddings, logits, attention = self._look(views)
        present = torch.sigmoid(logits).unsqueeze(-1)
        evidence = (present * embeddings).sum(1) / present.sum(1).clamp(min=1.0)
        explanation = self.alignment_head(torch.cat([evidence, feature_map.mean((-1, -2))], dim=-1))
        grid = functional.adaptive_avg_pool2d(feature_map, self.config.visual_grid)
        each = None if self.condition_alignment_head is None else self.condition_alignment_head(embeddings)
        return ImageEncoding(
            feature_map=feature_map,
            condition_embeddings=embeddings,
            condition_logits=logits,
            condition_attention=attention[:, :, 0],
            explanation_embedding=functional.normalize(explanation, dim=-1),
            visual_tokens=grid.flatten(2).transpose(1, 2),
            view_attention=attention.sum((-1, -2)),
            condition_explanations=None if each is None else functional.normalize(each, dim=-1),
            concept_logits=None if self.concept_head is None else self.concept_head(embeddings),
        )

    def _look(self, views: StudyViews) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the first view's map [B, C, h, w], embeddings, logits and the attention [B, K, V, h, w]."""
        if self.view_embedding is None:
            feature_map = self.vision(views.pixel_values[:, 0])
            embeddings, logits, attention = self.condition_queries(feature_map)
            return feature_map, embeddings, logits, attention.unsqueeze(2)
        present = None if views.ids.shape[1] == 1 else views.ids != ABSENT
        if present is None:
            maps = self.vision(views.pixel_values[:, 0]).unsqueeze(1)
        else:
            # Absent views never reach the backbone, where they would move batch statistics and take time.
            seen = self.vision(views.pixel_values[present])
            maps = seen.new_zeros(*present.shape, *seen.shape[1:]).index_put((present,), seen)
        found = self.condition_queries.over_views(maps, self.view_embedding(views.ids, views.times), present)
        return maps[:, 0], *found

    def calibrated_logits(self, condition_logits: Tensor) -> Tensor:
        """Return the logits [B, K] whose sigmoid is the calibrated probability of each condition."""
        slope = condition_logits.new_tensor(self.config.calibration_slope)
        return slope * condition_logits + condition_logits.new_tensor(self.config.calibration_intercept)

    def probabilities(self, condition_logits: Tensor) -> Tensor:
        """Return calibrated probabilities [B, K] in [0, 1] of raw ``condition_logits``."""
        return torch.sigmoid(self.calibrated_logits(condition_logits))

    def states(self, condition_logits: Tensor) -> Tensor:
        """Return how far each condition counts as present, [B, K] in [0, 1]; 0.5 at its threshold.

        What a present condition implies is as present as itself, and No Finding is present as far as nothing abnormal
        is: the text never contradicts itself, and never the table of findings.
        """
        thresholds = condition_logits.new_tensor(self.config.thresholds).logit()
        margin = self.calibrated_logits(condition_logits) - thresholds
        own = torch.sigmoid(self.config.state_sharpness * margin)
        states = [torch.stack([own[:, index], *self._children(own, index)]).amax(0) for index in range(own.shape[1])]
        if self._no_finding is not None:
            abnormal = [state for state, name in zip(states, self.config.conditions, strict=True) if _is_abnormal(name)]
            states[self._no_finding] = 1 - torch.stack(abnormal).amax(0)
        return torch.stack(states, dim=-1)

    def said(self, states: Tensor) -> Tensor:
        """Return how far the text is to speak of each condition, [B, K] of ``states``.

        A condition that a present one implies (an opacity beside a consolidation) goes without saying.
        """
        spoken = [
            state * (1 - torch.stack(children).amax(0)) if (children := self._children(states, index)) else state
            for index, state in enumerate(states.unbind(-1))
        ]
        return torch.stack(spoken, dim=-1)

    def prefix(self, encoding: ImageEncoding, condition_states: Tensor | None = None) -> Tensor:
        """Return the prefix embeddings [B, P, H] of the language model.

        condition_states: [B, K] in [0, 1], whether the text is to speak of each condition; None or NaN for what
        follows from the student's own decisions.
        """
        if encoding.condition_logits is None:
            raise StudentError("A text was asked for without an image.", "Pass pixel_values or prefix_embeds.")
        states = self.said(self.states(encoding.condition_logits))
        if condition_states is not None:
            if condition_states.shape != states.shape:
                raise StudentError(
                    f"condition_states have the shape {tuple(condition_states.shape)}, the decisions "
                    f"{tuple(states.shape)}.",
                    "Pass one state per study and condition of the configuration, NaN where the student is to decide.",
                )
            states = torch.where(condition_states.isnan(), states, condition_states.to(states))
        told = states.unsqueeze(-1) * self.state_present + (1 - states.unsqueeze(-1)) * self.state_absent
        queries = self.projector(encoding.condition_embeddings) + told
        return self.prefix_norm(torch.cat([queries, self.projector(encoding.visual_tokens)], dim=1))  # type: ignore[no-any-return]

    def forward(
        self,
        pixel_values: Tensor | None = None,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        *,
        view_ids: Tensor | None = None,
        view_times: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        prefix_embeds: Tensor | None = None,
        condition_states: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        **kwargs: Any,
    ) -> StudentOutput:
        """Look, decide, and predict the next token at every position of ``input_ids``.

        pixel_values, view_ids, view_times: see :meth:`encode`; None where ``prefix_embeds`` [B, P, H] is given or
            already cached.
        input_ids, attention_mask, labels: int64 [B, T] of the text; labels are not shifted, -100 is left out. Without
            a text only the image is encoded.
        inputs_embeds: float [B, T, H], the text's embeddings in place of ``input_ids``.
        condition_states: [B, K]; see :meth:`prefix`.
        kwargs: go to the language model, such as ``use_cache``.
        """
        encoding = ImageEncoding() if pixel_values is None else self.encode(pixel_values, view_ids, view_times)
        if input_ids is not None and inputs_embeds is None:
            inputs_embeds = self.get_input_embeddings()(input_ids)
        output = StudentOutput(
            condition_logits=encoding.condition_logits,
            condition_attention=encoding.condition_attention,
            explanation_embedding=encoding.explanation_embedding,
            feature_map=encoding.feature_map,
            view_attention=encoding.view_attention,
            condition_explanations=encoding.condition_explanations,
            concept_logits=encoding.concept_logits,
        )
        if inputs_embeds is None:
            return output
        text_length = inputs_embeds.shape[1]
        if pixel_values is not None and prefix_embeds is None:
            prefix_embeds = self.prefix(encoding, condition_states)
        if prefix_embeds is not None:
            inputs_embeds = torch.cat([prefix_embeds.to(inputs_embeds), inputs_embeds], dim=1)
        new = inputs_embeds.shape[1] - text_length
        attention_mask, position_ids = self._with_prefix(attention_mask, position_ids, new)
        # What is cached or counted has to come of one call.
        plain = not kwargs and past_key_values is None and position_ids is None
        if self.training and plain and attention_mask is not None and worth_splitting(attention_mask):
            output.logits = logits_of_unequal(self.language_model, inputs_embeds, attention_mask, text_length)
        else:
            written = self.language_model(
                inputs_embeds=inputs_embeds,
                attention_mask=attention_mask,
                position_ids=position_ids,
                past_key_values=past_key_values,
                logits_to_keep=text_length,
                **kwargs,
            )
            output.logits = written.logits
            output.past_key_values = written.past_key_values
        if labels is not None:
            output.loss = functional.cross_entropy(
                output.logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten(), ignore_index=-100
            )
        return output

    def prepare_inputs_for_generation(  # type: ignore[override]
        self, input_ids: torch.LongTensor, *, is_first_iteration: bool = False, **kwargs: Any
    ) -> dict[str, Any]:
        if not is_first_iteration and kwargs.get("use_cache", True):
            # The prefix is in the cache by now.
            kwargs = {name: value for name, value in kwargs.items() if name not in _PREFILL_ONLY}
        prepared = super().prepare_inputs_for_generation(  # type: ignore[misc]
            input_ids, is_first_iteration=is_first_iteration, **kwargs
        )
        return cast("dict[str, Any]", prepared)

    def _with_prefix(
        self, attention_mask: Tensor | None, position_ids: Tensor | None, new: int
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return mask and positions of the text as those of prefix and text; ``new`` is 0 once the prefix is cached."""
        length = self.config.prefix_length
        if attention_mask is not None:
            ahead = attention_mask.new_ones(attention_mask.shape[0], length)
            attention_mask = torch.cat([ahead, attention_mask], dim=1)
        if position_ids is not None:
            ahead = torch.arange(new, device=position_ids.device).expand(position_ids.shape[0], -1)
            position_ids = torch.cat([ahead, position_ids + length], dim=1)
        return attention_mask, position_ids

    def _children(self, states: Tensor, index: int) -> list[Tensor]:
        """Return the columns [B] of ``states`` of those conditions that imply the one at ``index``."""
        named = self.config.conditions[index]
        return [
            states[:, child]
            for child, name in enumerate(self.config.conditions)
            if named in IMPLIED.get(Condition(name), ())
        ]

    @property
    def _no_finding(self) -> int | None:
        names = list(self.config.conditions)
        return names.index(Condition.NO_FINDING.value) if Condition.NO_FINDING.value in names else None

    def _set_gradient_checkpointing(
        self,
        enable: bool = True,  # noqa: FBT001, FBT002 - the library's signature
        gradient_checkpointing_func: Callable[..., Any] = checkpoint,
        every_n_layers: int = 1,
    ) -> None:
        if enable:
            gradient_checkpointing_func = without_moving_statistics(gradient_checkpointing_func, self.vision)
        super()._set_gradient_checkpointing(enable, gradient_checkpointing_func, every_n_layers)

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)  # type: ignore[no-untyped-call]
        if isinstance(module, nn.Linear):
            # The library's fixed standard deviation is too small for layers this narrow.
            init.normal_(module.weight, std=module.in_features**-0.5)
        if isinstance(module, ConditionQueries):
            init.normal_(module.queries, std=1.0)
            init.normal_(module.score, std=0.02)
            init.zeros_(module.bias)
        if isinstance(module, ConceptHead):
            module.start()
        if isinstance(module, StudentModel):
            if module.view_embedding is not None:
                module.view_embedding.start()  # after its layers have had theirs
            init.normal_(module.state_present, std=0.5)
            init.normal_(module.state_absent, std=0.5)
