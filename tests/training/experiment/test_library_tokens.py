"""The library teacher's next-token distribution: shares of the versions that go on alike."""

from __future__ import annotations

import numpy as np
import pytest
from transformers import PreTrainedTokenizerBase

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.distillation.targets import STUDENT_ROLES, TokenPredictions, told
from kdistill_core.records import Finding, Side
from kdistill_core.student.tokenizer import train_tokenizer
from kdistill_core.teacher.library import RationaleLibrary
from training.experiment.library_tokens import LibraryTokens, _next_tokens

_VARIANTS = 3
_EFFUSION = {Condition.PLEURAL_EFFUSION: Finding(Condition.PLEURAL_EFFUSION, State.POSITIVE, side=Side.LEFT)}
_FINDINGS = tuple(_EFFUSION.get(condition, Finding(condition, State.BLANK)) for condition in CONDITIONS)


@pytest.fixture(scope="module")
def tokenizer(library: RationaleLibrary) -> PreTrainedTokenizerBase:
    return train_tokenizer(library.texts(), 400)


@pytest.fixture(scope="module")
def predicted(library: RationaleLibrary, tokenizer: PreTrainedTokenizerBase) -> tuple[TokenPredictions, ...]:
    return LibraryTokens(library, tokenizer, _VARIANTS).predict(_FINDINGS)


def test_versions_share_the_chance_where_they_part() -> None:
    texts = ((1, 2, 3), (1, 2, 4), (5,))
    assert _next_tokens(texts[0], texts) == [{1: 2 / 3, 5: 1 / 3}, {2: 1.0}, {3: 0.5, 4: 0.5}]
    assert _next_tokens(texts[2], texts) == [{1: 2 / 3, 5: 1 / 3}]


def test_the_text_itself_is_predicted_by_a_distribution_at_every_token(
    library: RationaleLibrary, tokenizer: PreTrainedTokenizerBase, predicted: tuple[TokenPredictions, ...]
) -> None:
    assert len(predicted) == _VARIANTS
    for variant, predictions in enumerate(predicted):
        text = library.compose(told(_FINDINGS), roles=STUDENT_ROLES, variant=variant).text
        ids = [tokenizer.bos_token_id, *tokenizer.encode(text, add_special_tokens=False), tokenizer.eos_token_id]
        assert len(predictions.ids) == len(ids)
        assert not predictions.probabilities[0].any()
        np.testing.assert_allclose(predictions.probabilities[1:].sum(axis=1), 1, atol=1e-6)
        for token, row, chances in zip(ids[1:], predictions.ids[1:], predictions.probabilities[1:], strict=True):
            assert chances[row == token] > 0
        assert ((predictions.ids >= 0) == (predictions.probabilities > 0)).all()
