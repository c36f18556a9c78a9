from __future__ import annotations

import numpy as np
import pytest
import sacrebleu

from kdistill_core.evaluation.teachers.distinctness import distinct_share, self_bleu, word_groups, words_of
from kdistill_core.evaluation.teachers.jackknife import jackknife_interval, left_out

TEXTS = (
    "There is a small left pleural effusion. It blunts the costophrenic angle, on the left.",
    "There is a small right pleural effusion. It blunts the costophrenic angle.",
    "A fracture is a break in a bone; the line is dark.",
    "There is a small left pleural effusion. It blunts the costophrenic angle, on the left.",
    "Air, air, air.",
)


def test_distinct_words_and_pairs_of_an_example_worked_by_hand():
    texts = ["a b a", "A b c"]
    assert distinct_share([words_of(text) for text in texts])[0] == 3 / 6  # a, b, c
    assert distinct_share([word_groups(text, 2) for text in texts])[0] == 3 / 4  # ab, ba, bc


def test_the_share_without_a_text_is_the_share_of_the_others():
    items = [words_of(text) for text in TEXTS]
    _, without = distinct_share(items)
    expected = left_out(lambda places: distinct_share([items[place] for place in places])[0], len(items))
    assert without == pytest.approx(expected)


def test_nothing_written_has_no_share():
    assert np.isnan(distinct_share([[], []])[0])


def test_self_bleu_is_sacrebleus_with_all_other_texts_as_references():
    scorer = sacrebleu.BLEU(lowercase=True, tokenize="13a", effective_order=True)
    expected = [
        scorer.sentence_score(text, [other for place, other in enumerate(TEXTS) if place != own]).score / 100
        for own, text in enumerate(TEXTS)
    ]
    assert self_bleu(TEXTS) == pytest.approx(expected)
    assert expected[0] == pytest.approx(1)  # it is there twice


def test_self_bleu_of_one_text_or_an_empty_one_is_not_defined():
    assert np.isnan(self_bleu(["alone"])).all()
    assert np.isnan(self_bleu(["", "a b"])).tolist() == [True, False]


def test_the_jackknife_of_a_mean_is_its_textbook_interval():
    values = np.random.default_rng(0).normal(size=40)
    without = left_out(lambda places: float(values[list(places)].mean()), len(values))
    interval = jackknife_interval(float(values.mean()), without)
    reach = 1.959964 * values.std(ddof=1) / np.sqrt(len(values))
    assert (interval.low, interval.high) == pytest.approx((values.mean() - reach, values.mean() + reach))


def test_one_text_has_no_interval():
    assert jackknife_interval(0.5, np.array([0.5])) is None
