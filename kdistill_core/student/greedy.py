"""Greedy writing of one text, with nothing around the language model's own layers.

For a small model transformers' ``generate`` takes longer around a token than the model does: masks, processors,
criteria, outputs, and a cache that is copied for every token. The tokens here are those of ``generate``
(tests/student/test_greedy.py); what changes their scores stays with it: :func:`writes_greedily`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from kdistill_core.student.errors import StudentError
from kdistill_core.student.llama_layers import ROPES, LlamaLayers
from kdistill_core.student.modeling import StudentModel

# What a generation configuration may say without changing which token is the likeliest.
_HARMLESS = frozenset(
    {
        "_from_model_config",
        "bos_token_id",
        "eos_token_id",
        "max_length",
        "max_new_tokens",
        "output_attentions",
        "output_hidden_states",
        "pad_token_id",
        "transformers_version",
        "use_cache",
    }
)


def writes_greedily(student: StudentModel) -> bool:
    """Return whether :func:`greedy_tokens` writes what ``student.generate`` would.

    It does for a Llama in evaluation mode whose generation configuration asks for the likeliest token and no more.
    """
    language: Any = student.language_model
    if type(language) is not LlamaForCausalLM or language.model.rotary_emb.rope_type not in ROPES or student.training:
        return False
    generation: Any = student.generation_config
    asked = generation.to_diff_dict()
    return {name for name, value in asked.items() if value} <= _HARMLESS


@torch.inference_mode()
def greedy_tokens(
    student: StudentModel, prefix_embeds: Tensor, input_ids: Tensor, max_new_tokens: int
) -> Iterator[tuple[int, Tensor]]:
    """Yield each further token and the float32 [V] logits that it is the likeliest by, the end token included.

    prefix_embeds: float [1, P, H] of :meth:`.modeling.StudentModel.prefix`. input_ids: int64 [1, T], how the text
    begins. Raises StudentError for more than one text, or a student that :func:`writes_greedily` is not true of.
    """
    if len(prefix_embeds) != 1 or len(input_ids) != 1 or not writes_greedily(student):
        raise StudentError("Only one text, of a student that takes the likeliest token, is written here.")
    model = student.language_model.model
    generation: Any = student.generation_config
    ends = generation.eos_token_id
    ends = frozenset(ends if isinstance(ends, list) else [ends])
    hidden = torch.cat([prefix_embeds.to(model.embed_tokens.weight), model.embed_tokens(input_ids)], dim=1)
    layers = LlamaLayers(model, hidden.shape[1] + max_new_tokens, hidden)
    for _ in range(max_new_tokens):
        last = model.norm(layers(hidden)[:, -1])
        logits = student.language_model.lm_head(last)[0].float()
        chosen = logits.argmax()
        token = int(chosen)
        yield token, logits
        if token in ends:
            return
        hidden = model.embed_tokens(chosen[None, None])
