"""A cache of keys and values that grows in place.

transformers' own joins old and new states anew for every token, which copies the whole cache: with many rows and long
prompts that takes longer than the model itself on a CPU.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

# Tokens that a layer makes room for ahead, at least, and as a share of those it holds.
_ROOM, _SHARE = 64, 0.25


def growing_cache(config: Any) -> DynamicCache:
    """Return an empty cache for a model of ``config``; sliding windows and their like stay the library's own layers."""
    cache = DynamicCache(config=config)
    cache.layers = [GrowingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


class GrowingLayer(DynamicLayer):
    """Keys and values of a layer, float [rows, heads, tokens, size]: views of stores with room for more tokens."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        self._stores: list[Tensor] = []

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Add the states of new tokens, and return those of all."""
        del args, kwargs
        if self.keys is None or self.values is None or self.get_seq_length() == 0:
            self.lazy_initialization(key_states, value_states)
            held = [key_states[:, :, :0], value_states[:, :, :0]]
        else:
            held = [self.keys, self.values]
        stores = self._stores or held
        self._stores = [
            _filled(store, old, new) for store, old, new in zip(stores, held, (key_states, value_states), strict=True)
        ]
        total = held[0].shape[2] + key_states.shape[2]
        self.keys, self.values = (store[:, :, :total] for store in self._stores)
        return self.keys, self.values


def _filled(store: Tensor, held: Tensor, new: Tensor) -> Tensor:
    """Return ``store`` with ``new`` behind ``held``, or a larger one if ``held`` is not in it or it is full."""
    rows, heads, length, size = held.shape
    total = length + new.shape[2]
    # Rows that were repeated or chosen since lie elsewhere.
    if store.data_ptr() != held.data_ptr() or store.shape[0] != rows or store.shape[2] < total:
        store = held.new_empty(rows, heads, total + max(_ROOM, int(_SHARE * total)), size)
        store[:, :, :length] = held
    store[:, :, length:total] = new
    return store
