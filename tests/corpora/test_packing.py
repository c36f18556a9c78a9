"""Blocks of tokens: nothing lost but the tail, boundaries where documents begin."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from kdistill_core.corpora.errors import CorpusError
from kdistill_core.corpora.packing import blocks_of, write_blocks

TEXTS = st.lists(st.text("ab ", max_size=40), max_size=8)


@settings(max_examples=50, deadline=None)
@given(TEXTS, st.integers(1, 17))
def test_blocks_in_a_row_are_the_documents_in_a_row(word_tokenizer, texts, length):
    flat: list[int] = []
    begins: list[int] = []
    for text in texts:
        begins.append(len(flat))
        flat += [*word_tokenizer(text)["input_ids"], word_tokenizer.eos_token_id]
    blocks = list(blocks_of(texts, word_tokenizer, length))
    whole = len(flat) // length
    assert [block.input_ids for block in blocks] == [flat[n * length : (n + 1) * length] for n in range(whole)]
    starts = [n * length + start for n, block in enumerate(blocks) for start in block.starts]
    assert starts == [begin for begin in begins if begin < whole * length]


def test_too_little_text_is_said_and_leaves_nothing(tmp_path, word_tokenizer):
    with pytest.raises(CorpusError, match="do not fill one block"):
        write_blocks(blocks_of(["a b"], word_tokenizer, 1000), tmp_path / "training")
    assert not (tmp_path / "training").exists()


def test_a_tokenizer_without_an_end_is_refused(tokenizer_folder):
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    tokenizer.eos_token = None
    with pytest.raises(CorpusError, match="end-of-text"):
        list(blocks_of(["a"], tokenizer, 4))
