"""How likely a language model finds texts: many at once, each as if it were alone.

Rows are sorted by length and padded on the right. A causal model sees nothing to its right, so padding there changes
nothing, whatever the model does with positions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy, log_softmax

from kdistill_core.teacher.model import TeacherModel

Tokens = Sequence[int]
Advance = Callable[[int], None]  # by how many rows

# Tokens computed at once, padding included: their float32 logits over 49,152 words take 200 MB.
BATCH_TOKENS = 1024


def no_report(_rows: int) -> None:
    """Tell nobody how far it is."""


def token_losses(
    teacher: TeacherModel, rows: Sequence[Tokens], batch_tokens: int = BATCH_TOKENS, on_rows: Advance = no_report
) -> list[NDArray[np.float64]]:
    """Return the losses of each row, float64 [its tokens - 1], in nats: of all but its first, given those before.

    Each row has at least two tokens.
    """
    found = [np.zeros(len(row) - 1) for row in rows]
    for places in _batches(rows, batch_tokens):
        inputs, mask = _padded([rows[place] for place in places], teacher)
        with torch.inference_mode():
            logits = teacher.model(input_ids=inputs, attention_mask=mask, use_cache=False).logits.float()
            # Flat, tokens by words: across another dimension the loss takes 2.6 times as long (0.49 s a batch).
            per_token = cross_entropy(logits[:, :-1].flatten(0, 1), inputs[:, 1:].flatten(), reduction="none")
        for place, row in zip(places, per_token.view(len(places), -1).double().cpu().numpy(), strict=True):
            found[place] = row[: len(rows[place]) - 1]
        on_rows(len(places))
    return found


def next_token_log_likelihoods(
    teacher: TeacherModel, rows: Sequence[Tokens], batch_tokens: int = BATCH_TOKENS, on_rows: Advance = no_report
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yield each row's place and the log-likelihood of every token after its last, float64 [vocabulary], in nats."""
    for places in _batches(rows, batch_tokens):
        inputs, mask = _padded([rows[place] for place in places], teacher)
        with torch.inference_mode():
            logits = teacher.model(input_ids=inputs, attention_mask=mask, use_cache=False).logits
            last = logits[torch.arange(len(places), device=logits.device), mask.sum(dim=1) - 1]
            after = log_softmax(last.float(), dim=-1).double().cpu().numpy()
        yield from zip(places, after, strict=True)
        on_rows(len(places))


def _batches(rows: Sequence[Tokens], batch_tokens: int) -> Iterator[list[int]]:
    """Yield places of rows, the longest first: what is too large for memory fails at once and not at the end."""
    order = sorted(range(len(rows)), key=lambda place: (-len(rows[place]), place))
    starts, start = [0], 0
    while start < len(order):
        start += max(1, batch_tokens // len(rows[order[start]]))
        starts.append(start)
    yield from (order[first:last] for first, last in pairwise(starts))


def _padded(rows: Sequence[Tokens], teacher: TeacherModel) -> tuple[torch.Tensor, torch.Tensor]:
    """Return tokens and mask, int64 [rows, longest]."""
    width = max(map(len, rows))
    tokens = torch.full((len(rows), width), teacher.tokenizer.pad_token_id)
    mask = torch.zeros_like(tokens)
    for place, row in enumerate(rows):
        tokens[place, : len(row)] = torch.tensor(row)
        mask[place, : len(row)] = 1
    return tokens.to(teacher.model.device), mask.to(teacher.model.device)
