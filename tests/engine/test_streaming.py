"""Streamed text and token spans, against tokenizers of the byte-level kind."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from kdistill_core.engine.streaming import TokenStream
from kdistill_core.records import Span


def byte_tokenizer(merges_from=()):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<end>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(merges_from, trainer)
    return tokenizer


BYTES = byte_tokenizer()
WORDS = byte_tokenizer(["There is a small left pleural effusion."] * 10)


def stream(tokenizer, ids):
    stream = TokenStream(lambda ids: tokenizer.decode(list(ids), skip_special_tokens=True))
    pieces = [stream.push(token) for token in ids] + [stream.finish()]
    return stream, pieces


@pytest.mark.parametrize("tokenizer", [BYTES, WORDS])
@given(text=st.text(max_size=40))
@settings(max_examples=40, deadline=None)
def test_streamed_pieces_add_up_to_the_final_text(tokenizer, text):
    ids = tokenizer.encode(text).ids
    collected, pieces = stream(tokenizer, ids)
    assert "".join(pieces) == collected.text == text.strip()
    assert len(collected.spans) == len(ids)
    assert all(0 <= span.start <= span.end <= len(collected.text) for span in collected.spans)


@given(ids=st.lists(st.integers(min_value=0, max_value=BYTES.get_vocab_size() - 1), max_size=30))
@settings(max_examples=40, deadline=None)
def test_even_bytes_that_are_no_text_stream_to_the_final_text(ids):
    collected, pieces = stream(BYTES, ids)
    assert "".join(pieces) == collected.text


def test_words_get_their_own_characters_without_blanks():
    text = "There is a small left pleural effusion."
    collected, _ = stream(WORDS, WORDS.encode(text).ids)
    words = [text[span.start : span.end] for span in collected.spans]
    assert words == ["There", "is", "a", "small", "left", "pleural", "effusion", "."]


def test_a_character_of_several_tokens_is_withheld_and_belongs_to_each_of_them():
    # 🫁 is F0 9F AB 81 in UTF-8: four tokens.
    collected, pieces = stream(BYTES, BYTES.encode("a🫁b").ids)
    assert pieces == ["a", "", "", "", "🫁", "b", ""]
    assert collected.spans == (Span(0, 1), Span(1, 2), Span(1, 2), Span(1, 2), Span(1, 2), Span(2, 3))


def test_blanks_around_the_text_are_neither_streamed_nor_counted():
    collected, pieces = stream(BYTES, BYTES.encode("  no  ").ids)
    assert "".join(pieces) == "no"
    assert [(span.start, span.end) for span in collected.spans] == [(0, 0), (0, 0), (0, 1), (1, 2), (2, 2), (2, 2)]
