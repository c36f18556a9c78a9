"""The layers of a Llama, asked one after another in the library's order and arithmetic.

Keys and values lie in one store a layer, which is written in place and not copied for every token as the library's is.
All texts of a batch are as long as one another at any time, so nothing is masked but what is yet to come.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

# Those of which the angles of a position do not depend on how long the text is.
ROPES = frozenset({"default", "linear", "llama3"})


class LlamaLayers:
    """The layers of ``model``, a ``LlamaModel``, with room for the keys and values of ``length`` tokens a text.

    like: float [B, T, H], of the number of texts, type and device of what will be asked.
    """

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
        room = (len(like), length, self._keys, self._size)
        self._stores = [(like.new_empty(room), like.new_empty(room)) for _ in model.layers]
        self._held = 0

    def __call__(self, hidden: Tensor) -> Tensor:
        """Return what comes of the ``hidden`` states [B, T, H] of the next tokens."""
        here = slice(self._held, self._held + hidden.shape[1])
        angles = self._cosines[here], self._sines[here]
        for layer, store in zip(self._layers, self._stores, strict=True):
            hidden = hidden + self._attention(layer.self_attn, layer.input_layernorm(hidden), store, angles)
            hidden = hidden + layer.mlp(layer.post_attention_layernorm(hidden))
        self._held = here.stop
        return hidden

    def keep(self, rows: Tensor) -> None:
        """Forget all texts but those at ``rows``, int64 [R], which are asked in that order from now on."""
        length = self._stores[0][0].shape[1]
        self._stores = [
            (_part(keys, rows, self._held, length), _part(values, rows, self._held, length))
            for keys, values in self._stores
        ]

    def _attention(
        self, attention: Any, hidden: Tensor, store: tuple[Tensor, Tensor], angles: tuple[Tensor, Tensor]
    ) -> Tensor:
        (texts, count, _), (keys, values) = hidden.shape, store
        asked = [attention.q_proj(hidden), attention.k_proj(hidden)]
        turned = torch.cat(asked, dim=-1).view(texts, count, -1, self._size)
        turned = turned * angles[0] + turned.roll(self._size // 2, -1) * angles[1]
        end = self._held + count
        keys[:, self._held : end] = turned[:, :, self._queries :]
        values[:, self._held : end] = attention.v_proj(hidden).view(texts, count, -1, self._size)
        seen = functional.scaled_dot_product_attention(
            turned[:, :, : self._queries].transpose(1, 2),
            keys[:, :end].transpose(1, 2),
            values[:, :end].transpose(1, 2),
            is_causal=count > 1,
            scale=attention.scaling,
            enable_gqa=self._queries != self._keys,
        )
        return attention.o_proj(seen.transpose(1, 2).reshape(texts, count, -1))  # type: ignore[no-any-return]


def _part(store: Tensor, rows: Tensor, held: int, length: int) -> Tensor:
    kept = store.new_empty(len(rows), length, *store.shape[2:])
    kept[:, :held] = store[rows, :held]
    return kept
