"""The growing cache holds what transformers' own holds, and copies it seldom."""

from __future__ import annotations

import torch
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM, MistralConfig
from transformers.cache_utils import DynamicLayer

from kdistill_core.teacher.growing_cache import GrowingLayer, growing_cache

SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
CONFIG = LlamaConfig(vocab_size=50, num_key_value_heads=2, max_position_embeddings=512, **SIZES)


def test_a_model_says_the_same_with_it_as_with_the_librarys_own():
    torch.manual_seed(0)
    model = LlamaForCausalLM(CONFIG).eval()
    tokens = torch.randint(0, 50, (3, 12))
    written = []
    for cache in (growing_cache(CONFIG), DynamicCache(config=CONFIG)):
        with torch.inference_mode():
            model(input_ids=tokens[:1], past_key_values=cache, use_cache=True)
            cache.batch_repeat_interleave(3)
            whole = torch.cat([tokens[:1].expand(3, -1), tokens], dim=1)
            written.append(model.generate(whole, past_key_values=cache, max_new_tokens=150, do_sample=False))
    assert written[0].shape == (3, 174)
    assert torch.equal(*written)


def test_states_keep_their_values_and_their_place_while_there_is_room():
    mine, theirs = GrowingLayer(), DynamicLayer()
    generator = torch.Generator().manual_seed(0)
    places = set()
    for tokens in (5, *[1] * 120):
        keys, values = (torch.randn(2, 3, tokens, 4, generator=generator) for _ in range(2))
        held, expected = mine.update(keys, values), theirs.update(keys, values)
        assert all(torch.equal(own, other) for own, other in zip(held, expected, strict=True))
        places.add(held[0].data_ptr())
    assert mine.get_seq_length() == 125
    assert len(places) <= 3


def test_rows_that_were_chosen_or_dropped_are_not_mixed_up():
    layer = GrowingLayer()
    first = torch.arange(4.0).view(4, 1, 1, 1)
    layer.update(first, first)
    layer.batch_select_indices(torch.tensor([3, 1]))
    keys, _ = layer.update(first[:2] + 10, first[:2] + 10)
    assert keys[:, 0, :, 0].tolist() == [[3, 10], [1, 11]]
    layer.reset()
    keys, _ = layer.update(first[:1] + 20, first[:1] + 20)
    assert keys[:, 0, :, 0].tolist() == [[20]]


def test_sliding_windows_keep_the_librarys_own_layer():
    config = MistralConfig(vocab_size=50, sliding_window=16, **SIZES)
    assert [type(layer) for layer in growing_cache(config).layers] == [
        type(layer) for layer in DynamicCache(config=config).layers
    ]
    assert GrowingLayer not in {type(layer) for layer in growing_cache(config).layers}
