"""Generated token ids to text, with the characters that each token stands for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from transformers import PreTrainedTokenizerBase

from kdistill_core.records import Span, Token


def spell(
    tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], log_probabilities: Sequence[float] | None = None
) -> tuple[str, tuple[Token, ...]]:
    """Return the text of ``ids`` and one :class:`Token` per id that shows in it.

    Spans leave out surrounding blanks. Special tokens and tokens of blanks alone are not listed. A character that
    several byte tokens make up belongs to the last of them.
    """
    special = set(tokenizer.all_special_ids)
    kept = [(index, int(token)) for index, token in enumerate(ids) if int(token) not in special]
    text = _decoded(tokenizer, [token for _, token in kept])
    tokens = []
    start = 0
    for count, (index, token) in enumerate(kept, start=1):
        end = len(_complete(_decoded(tokenizer, [known for _, known in kept[:count]])))
        piece = text[start:end]
        if piece.strip():
            left = start + len(piece) - len(piece.lstrip())
            right = end - (len(piece) - len(piece.rstrip()))
            probability = None if log_probabilities is None else float(log_probabilities[index])
            tokens.append(Token(Span(left, right), token, probability))
        start = max(start, end)
    return text, tuple(tokens)


def _decoded(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> str:
    # One sequence of ids gives one text; the library's signature allows for several.
    return cast("str", tokenizer.decode(ids))


def _complete(text: str) -> str:
    """Return ``text`` without the replacement characters of a character whose bytes are still coming."""
    return text.rstrip("\N{REPLACEMENT CHARACTER}")
