"""The library teacher's next-token distribution, in the student's own vocabulary.

The library keeps several versions of what it says of a finding, each as likely. So the chance of the next token, given
the text so far, is the share of those versions that begin like it and go on with that token: known exactly, without a
language model. It is sharp within a phrase and spread where the versions part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from transformers import PreTrainedTokenizerBase

from kdistill_core.distillation.targets import STUDENT_ROLES, TokenPredictions, told
from kdistill_core.records import Finding
from kdistill_core.teacher.entries import LibraryEntry
from kdistill_core.teacher.library import RationaleLibrary

_Tokens = tuple[int, ...]


class LibraryTokens:
    """Predicts the tokens of rationales of up to ``variants`` versions."""

    def __init__(self, library: RationaleLibrary, tokenizer: PreTrainedTokenizerBase, variants: int) -> None:
        self._library = library
        self._tokenizer = tokenizer
        self._variants = variants
        self._known: dict[str, _Tokens] = {}

    def predict(self, findings: Sequence[Finding]) -> tuple[TokenPredictions, ...]:
        """Return the predictions for every version of the rationale of ``findings``, begin and end token included."""
        said = told(findings)
        versions = [
            [text for _, entry in self._library.entries_of(said, variant=variant) if (text := _text(entry))]
            for variant in range(self._variants)
        ]
        # By finding, what its versions say; a text follows another after a blank, which is part of its first token.
        parts = [
            [self._tokens(text if place == 0 else f" {text}") for text in texts]
            for place, texts in enumerate(zip(*versions, strict=True))
        ]
        return tuple(self._of_version(parts, variant) for variant in range(self._variants))

    def _of_version(self, parts: Sequence[Sequence[_Tokens]], variant: int) -> TokenPredictions:
        rows: list[dict[int, float]] = [{}]  # nothing predicts the begin token
        for versions in parts:
            rows += _next_tokens(versions[variant], versions)
        rows.append({int(self._tokenizer.eos_token_id): 1.0})
        ids = np.full((len(rows), self._variants), -1, dtype=np.int64)
        probabilities = np.zeros((len(rows), self._variants), dtype=np.float32)
        for at, row in enumerate(rows):
            ids[at, : len(row)], probabilities[at, : len(row)] = list(row), list(row.values())
        return TokenPredictions(ids, probabilities)

    def _tokens(self, text: str) -> _Tokens:
        if text not in self._known:
            self._known[text] = tuple(self._tokenizer.encode(text, add_special_tokens=False))
        return self._known[text]


def _text(entry: LibraryEntry) -> str:
    return " ".join(sentence.text for sentence in entry.sentences if sentence.role in STUDENT_ROLES)


def _next_tokens(text: _Tokens, versions: Sequence[_Tokens]) -> list[dict[int, float]]:
    """Return at each place of ``text`` the chance of each token, given those before it, among equal ``versions``."""
    rows = []
    for place in range(len(text)):
        alike = [other[place] for other in versions if len(other) > place and other[:place] == text[:place]]
        rows.append({token: count / len(alike) for token, count in Counter(alike).most_common()})
    return rows
