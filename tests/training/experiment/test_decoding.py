"""The decoders of the end-to-end arms: votes over drawn texts, and the choice among all of them."""

from __future__ import annotations

import numpy as np
import pytest

from kdistill_core.conditions import CONDITIONS, Condition
from training.experiment.decoding import BEAMS, GREEDY, Drawn, choose_decoder, text_score, vote

_EFFUSION, _EDEMA, _NORMAL = "There is a left pleural effusion.", "There is pulmonary edema.", "The lungs are clear."
_HEART = "The heart is enlarged."


def test_a_vote_says_once_what_enough_texts_say_in_anatomical_order() -> None:
    texts = (f"{_EFFUSION} {_HEART}", f"{_HEART} {_EDEMA}", f"{_EFFUSION} {_NORMAL}")
    assert vote(texts, 2) == f"{_HEART} {_EFFUSION}"
    assert vote(texts, 1) == f"{_HEART} {_EDEMA} {_EFFUSION}"


def test_where_nothing_has_enough_votes_the_quietest_text_speaks() -> None:
    assert vote((_EFFUSION, _NORMAL, _EDEMA), 2) == _NORMAL
    assert vote((f"{_EFFUSION} {_EDEMA}", _HEART), 2) == _HEART


def test_the_decoder_of_the_best_score_is_chosen_and_every_score_kept() -> None:
    truth = np.zeros((2, len(CONDITIONS)))
    truth[0, CONDITIONS.index(Condition.PLEURAL_EFFUSION)] = 1
    truth[1, CONDITIONS.index(Condition.EDEMA)] = 1
    truth[1, CONDITIONS.index(Condition.LUNG_OPACITY)] = 1
    drawn = Drawn(
        {GREEDY: (_NORMAL, _NORMAL), BEAMS: (_EFFUSION, _NORMAL)},
        ((_EFFUSION, _EFFUSION, _EFFUSION), (_EDEMA, _NORMAL, _EDEMA)),
    )
    assert drawn.decoders == (GREEDY, BEAMS, "1 of 3", "2 of 3")
    chosen, scores = choose_decoder(drawn, truth)
    assert set(scores) == set(drawn.decoders)
    assert chosen == max(scores, key=lambda name: scores[name]) == "1 of 3"
    assert scores[chosen] == text_score(drawn.texts(chosen), truth) > scores[BEAMS] > scores[GREEDY]


def test_shares_are_never_sure() -> None:
    drawn = Drawn({}, ((_EFFUSION, _EFFUSION), (_NORMAL, _EFFUSION)))
    shares = drawn.shares[:, CONDITIONS.index(Condition.PLEURAL_EFFUSION)]
    assert shares == pytest.approx([2.5 / 3, 1.5 / 3])
    assert ((drawn.shares > 0) & (drawn.shares < 1)).all()
