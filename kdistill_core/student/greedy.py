"""Greedy writing of one text, with nothing around the language model's own layers.

For a small model transformers' ``generate`` takes longer around a token than the model does: masks, processors,
criteria, outputs, and a cache that is copied for every token. Here a Llama's modules are asked one after another, in
the library's order and arithmetic, and keys and values lie in one store a layer. The tokens are those of ``generate``
(tests/student/test_greedy.py); what draws tokens or changes their scores stays with it: :func:`writes_greedily`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import LlamaForCausalLM

from kdistill_core.student.errors import StudentError
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
# Those of which the angles of a position do not depend on how long the text is.
_ROPES = frozenset({"default", "linear", "llama3"})


def writes_greedily(student: StudentModel) -> bool:
    """Return whether :func:`greedy_tokens` writes what ``student.generate`` would.

    It does for a Llama in evaluation mode whose generation configuration asks for the likeliest token and no more.
    """
    language: Any = student.language_model
    if type(language) is not LlamaForCausalLM or language.model.rotary_emb.rope_type not in _ROPES or student.training:
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
    hidden = torch.cat([prefix_embeds.to(model.embed_tokens.weight), model.embed_tokens(input_ids)], dim=1)[0]
    layers = _Layers(model, len(hidden) + max_new_tokens, hidden)
    for _ in range(max_new_tokens):
        last = model.norm(layers(hidden)[-1:])
        logits = student.language_model.lm_head(last)[0].float()
        chosen = logits.argmax()
        token = int(chosen)
        yield token, logits
        if token in ends:
            return
        hidden = model.embed_tokens(chosen[None])


class _Layers:
    """The layers of a Llama with room for the keys and values of ``length`` tokens."""

    def __init__(self, model: Any, length: int, like: Tensor) -> None:
        config = model.config
        self._layers = model.layers
        self._queries, self._keys = config.num_attention_heads, config.num_key_value_heads
        self._size: int = model.layers[0].self_attn.head_dim
        cosines, sines = model.rotary_emb(like, torch.arange(length, device=like.device)[None])
        self._cosines = cosines[0, :, None]
        # The library swaps the halves of what it turns and negates the first one; the sign goes with the angles here.
        sign = torch.ones_like(sines[0, :1])
        sign[:, : self._size // 2] = -1
        self._sines = (sines[0] * sign)[:, None]
        room = (length, self._keys, self._size)
        self._stores = [(like.new_empty(room), like.new_empty(room)) for _ in model.layers]
        self._held = 0

    def __call__(self, hidden: Tensor) -> Tensor:
        """Return what comes of the ``hidden`` states [T, H] of the next tokens."""
        here = slice(self._held, self._held + len(hidden))
        angles = self._cosines[here], self._sines[here]
        for layer, store in zip(self._layers, self._stores, strict=True):
            hidden = hidden + self._attention(layer.self_attn, layer.input_layernorm(hidden), store, angles)
            hidden = hidden + layer.mlp(layer.post_attention_layernorm(hidden))
        self._held = here.stop
        return hidden

    def _attention(
        self, attention: Any, hidden: Tensor, store: tuple[Tensor, Tensor], angles: tuple[Tensor, Tensor]
    ) -> Tensor:
        count, keys, values = len(hidden), *store
        asked = [attention.q_proj(hidden), attention.k_proj(hidden)]
        turned = torch.cat(asked, dim=-1).view(count, -1, self._size)
        turned = turned * angles[0] + turned.roll(self._size // 2, -1) * angles[1]
        end = self._held + count
        keys[self._held : end] = turned[:, self._queries :]
        values[self._held : end] = attention.v_proj(hidden).view(count, -1, self._size)
        seen = functional.scaled_dot_product_attention(
            turned[:, : self._queries].transpose(0, 1)[None],
            keys[:end].transpose(0, 1)[None],
            values[:end].transpose(0, 1)[None],
            is_causal=count > 1,
            scale=attention.scaling,
            enable_gqa=self._queries != self._keys,
        )
        return attention.o_proj(seen[0].transpose(0, 1).reshape(count, -1))  # type: ignore[no-any-return]
