"""A language model over texts of unequal length without computing what stands in for the missing words.

On a CPU a word of padding costs as much as any other, and a batch of rationales is more than half padding. So its texts
go through the model in pieces of about equal length. A GPU is better served by one large call.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

# More pieces leave less padding, and each costs a call of the model.
_PIECES = 4
# Fewer texts than these a piece would not pay for its call.
_LEAST_TEXTS = 4


def worth_splitting(attention_mask: Tensor) -> bool:
    """Return whether texts with this mask [B, T] are better asked in pieces: many, on a CPU, padded at the end."""
    if attention_mask.device.type != "cpu" or len(attention_mask) < 2 * _LEAST_TEXTS:
        return False
    # Padding elsewhere than at the end would be cut off for words.
    return bool((attention_mask[:, 1:] <= attention_mask[:, :-1]).all())


def logits_of_unequal(
    language_model: Any, inputs_embeds: Tensor, attention_mask: Tensor, text_length: int, **kwargs: Any
) -> Tensor:
    """Return the logits [B, ``text_length``, V] of the last positions; those at padding mean nothing.

    inputs_embeds: float [B, T, H]; attention_mask: [B, T], padding at the end alone. How many pieces there are follows
    from B alone, so that processes of equal batches ask as often.
    """
    ahead = inputs_embeds.shape[1] - text_length
    lengths = attention_mask.sum(dim=1)
    pieces = lengths.argsort(descending=True, stable=True).chunk(min(_PIECES, len(lengths) // _LEAST_TEXTS))
    logits: Tensor | None = None
    for rows in pieces:
        longest = max(int(lengths[rows[0]]), ahead + 1)
        part = language_model(
            inputs_embeds=inputs_embeds[rows, :longest],
            attention_mask=attention_mask[rows, :longest],
            logits_to_keep=longest - ahead,
            use_cache=False,
            **kwargs,
        ).logits
        if logits is None:
            logits = part.new_zeros(len(lengths), text_length, part.shape[-1])
        logits[rows, : longest - ahead] = part
    assert logits is not None  # noqa: S101 - a batch has at least one piece
    return logits
