"""Decoding that makes a language model keep the parts of a rationale, end it, and be repeatable row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import LogitsProcessor

from kdistill_core.records import SentenceRole
from kdistill_core.teacher.parts import LABELS


@dataclass(frozen=True)
class Vocabulary:
    """What decoding has to know of a tokenizer.

    newline: the token of a line's end alone. breaks: every token that holds a line's end. ends: tokens that end a text.
    labels: the tokens of each part's label with its colon.
    """

    newline: int
    breaks: frozenset[int]
    ends: tuple[int, ...]
    labels: dict[SentenceRole, tuple[int, ...]]

    @classmethod
    def of(cls, tokenizer: Any, ends: Sequence[int]) -> Vocabulary:
        """Return the vocabulary of a transformers tokenizer; ``ends`` are the model's end-of-text tokens."""
        texts = tokenizer.batch_decode([[token] for token in range(len(tokenizer))])
        return cls(
            newline=tokenizer("\n", add_special_tokens=False)["input_ids"][-1],
            breaks=frozenset(token for token, text in enumerate(texts) if "\n" in text),
            ends=tuple(ends),
            labels={
                role: tuple(tokenizer(f"{label}:", add_special_tokens=False)["input_ids"])
                for role, label in LABELS.items()
            },
        )


class KeepsParts(LogitsProcessor):
    """Forces the label of each part, ends a part at its line's end or its limit, and the text after its last part.

    A line cannot end before it holds a word; the text can end in its last part and nowhere else.
    """

    def __init__(
        self, roles: Sequence[Sequence[SentenceRole]], start: int, vocabulary: Vocabulary, longest: int
    ) -> None:
        """``roles``: the parts of each row; ``start``: where in a row the answer begins; ``longest``: tokens a part."""
        self._start = start
        self._words = vocabulary
        self._longest = longest
        self._rows = [_Row([vocabulary.labels[role] for role in parts]) for parts in roles]
        self._breaks = torch.tensor(sorted(vocabulary.breaks))
        self._ends = torch.tensor(vocabulary.ends)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return ``scores``, float [rows, vocabulary], with every token that may not come at minus infinity."""
        begun = input_ids.shape[1] > self._start
        latest: list[int | None] = input_ids[:, -1].tolist() if begun else [None] * len(self._rows)
        allowed = scores.clone()
        for index, (row, token) in enumerate(zip(self._rows, latest, strict=True)):
            forced = row.forced(token, self._words, self._longest)
            if forced is not None:
                allowed[index] = -torch.inf
                allowed[index, forced] = 0.0
                continue
            if row.first:
                allowed[index, self._breaks] = -torch.inf
            if row.first or not row.in_last_part:
                allowed[index, self._ends] = -torch.inf
        return allowed


class DrawsByRow(LogitsProcessor):
    """Draws each row's next token with a random stream of its own, so that a text does not depend on its batch.

    The highest of the scores with Gumbel noise added is a draw from their distribution (Gumbel 1954); decoding stays
    greedy and takes it.
    """

    def __init__(self, seeds: Sequence[int], temperature: float, top_k: int) -> None:
        """``temperature``: 0 adds no noise. ``top_k``: only the most likely tokens are drawn from."""
        self._streams = [np.random.default_rng(seed) for seed in seeds]
        self._temperature = temperature
        self._top_k = top_k

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # noqa: ARG002 - transformers' signature
        """Return float [rows, vocabulary]: tempered scores with noise, minus infinity outside the likeliest."""
        if self._temperature == 0:
            return scores
        values, tokens = scores.topk(min(self._top_k, scores.shape[1]), dim=-1)
        noise = np.stack([stream.gumbel(size=values.shape[1]) for stream in self._streams])
        drawn = values / self._temperature + torch.as_tensor(noise, dtype=values.dtype, device=values.device)
        return torch.full_like(scores, -torch.inf).scatter(1, tokens, drawn)


class _Row:
    """Where a row stands: in which part, how much of its label is to come, how many tokens the part has."""

    def __init__(self, labels: Sequence[tuple[int, ...]]) -> None:
        self._labels = labels
        self._part = 0
        self._due = list(labels[0])
        self._ended = False
        self._written = 0

    @property
    def first(self) -> bool:
        """Whether the token to come is the first of its part."""
        return self._written == 1

    @property
    def in_last_part(self) -> bool:
        return self._part == len(self._labels) - 1

    def forced(self, latest: int | None, words: Vocabulary, longest: int) -> int | None:
        """Take the latest token and return the one that has to come, None where the model may choose."""
        if self._ended:
            return words.ends[0]
        if self._due:
            return self._due.pop(0)
        if latest in words.breaks:
            if self.in_last_part:
                self._ended = True
                return words.ends[0]
            self._part += 1
            self._written = 0
            self._due = list(self._labels[self._part])
            return self._due.pop(0)
        if self._written >= longest:
            return words.newline
        self._written += 1
        return None
