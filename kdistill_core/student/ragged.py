"""A language model over texts of unequal length without computing what stands in for the missing words.

On a CPU a word of padding costs as much as any other, and a batch of rationales is more than half padding. So its texts
go through the model in pieces of about equal length. A GPU is better served by one large call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

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
    logits = []
    for rows in pieces:
        longest = max(int(lengths[rows[0]]), ahead + 1)
        part = language_model(
            inputs_embeds=inputs_embeds[rows, :longest],
            attention_mask=attention_mask[rows, :longest],
            logits_to_keep=longest - ahead,
            use_cache=False,
            **kwargs,
        )
        logits.append(part.logits)
    whole: Tensor = _Joined.apply(pieces, text_length, *logits)  # type: ignore[no-untyped-call]
    return whole


class _Joined(torch.autograd.Function):
    """Pieces [b, t, V] put in their rows of a whole [B, T, V].

    Plain assignment gives the same and copies the gradient of the whole once a piece, which took a sixth of a step.
    """

    @staticmethod
    @override
    def forward(ctx: Any, rows: Sequence[Tensor], length: int, *pieces: Tensor) -> Tensor:
        ctx.places = [(at, piece.shape[1]) for at, piece in zip(rows, pieces, strict=True)]
        whole = pieces[0].new_zeros(sum(len(piece) for piece in pieces), length, pieces[0].shape[-1])
        for (at, longest), piece in zip(ctx.places, pieces, strict=True):
            whole[at, :longest] = piece
        return whole

    @staticmethod
    @override
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (whole,) = gradients
        return None, None, *(whole[at, :longest] for at, longest in ctx.places)
