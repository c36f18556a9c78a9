"""BLEU, ROUGE-L and METEOR against the libraries' own corpus functions, other libraries, and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.text import bleu_score

from kdistill_core.evaluation.measures import compute
from kdistill_core.evaluation.text_overlap import bleu, meteor, rouge_l

TEXTS = [
    "The lungs are clear. No pleural effusion.",
    "There is a small left pleural effusion with overlying atelectasis in the left lower lobe.",
    "Heart size is normal.",
    "",
]
REFERENCES = [
    "Lungs are clear without effusion.",
    "Small left pleural effusion with adjacent atelectasis in the left lower lobe is unchanged.",
    "The heart size is normal. No pneumothorax is seen.",
    "No acute disease.",
]


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_corpus_bleu_agrees_with_sacrebleu(order) -> None:
    theirs = sacrebleu.BLEU(lowercase=True, tokenize="13a", smooth_method="none", max_ngram_order=order)
    expected = theirs.corpus_score(TEXTS, [REFERENCES]).score / 100
    assert bleu(TEXTS, REFERENCES)[order - 1].value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_corpus_bleu_agrees_with_torchmetrics_on_plain_words(order) -> None:
    texts = ["the lungs are clear and the heart is normal", "no effusion is seen today"]
    references = ["the lungs are clear and the heart size is normal", "no pleural effusion is seen"]
    expected = float(bleu_score(texts, [[reference] for reference in references], n_gram=order))
    assert bleu(texts, references)[order - 1].value == pytest.approx(expected, abs=1e-6)


def test_bleu_by_hand() -> None:
    """Of the text's words 3 of 4 match, of its pairs 2 of 3, of its triples 1 of 2; 4 words for 5: exp(1 - 5/4)."""
    one, two, three, _ = bleu(["no effusion seen today"], ["there is no effusion seen"])
    brevity = math.exp(1 - 5 / 4)
    assert one.value == pytest.approx(brevity * 3 / 4, abs=1e-12)
    assert two.value == pytest.approx(brevity * math.sqrt(3 / 4 * 2 / 3), abs=1e-12)
    assert three.value == pytest.approx(brevity * (3 / 4 * 2 / 3 * 1 / 2) ** (1 / 3), abs=1e-12)


def test_bleu_of_texts_that_share_no_four_words_is_zero_and_of_equal_texts_one() -> None:
    assert bleu(["no effusion"], ["no pneumothorax"])[3].value == 0.0
    assert [each.value for each in bleu(REFERENCES, REFERENCES)] == pytest.approx([1.0] * 4, abs=1e-12)


def test_sentence_bleu_of_a_case_is_sacrebleus() -> None:
    cases = bleu(TEXTS, REFERENCES)[3].cases
    assert cases is not None
    expected = [
        sacrebleu.BLEU(lowercase=True, effective_order=True).sentence_score(text, [reference]).score / 100
        for text, reference in zip(TEXTS, REFERENCES, strict=True)
    ]
    assert cases.values == pytest.approx(expected, abs=1e-9)


def test_the_interval_of_bleu_is_that_of_corpora_drawn_one_by_one() -> None:
    patients = ["a", "b", "b", "c"]
    (score,) = compute([bleu(TEXTS, REFERENCES)[0]], patients, resamples=200, seed=1)
    rng = np.random.default_rng(1)
    members, drawn = [[0], [1, 2], [3]], []
    for _ in range(200):
        rows = [row for patient in rng.integers(3, size=3) for row in members[patient]]
        theirs = sacrebleu.BLEU(lowercase=True, smooth_method="none", max_ngram_order=1)
        drawn.append(theirs.corpus_score([TEXTS[r] for r in rows], [[REFERENCES[r] for r in rows]]).score / 100)
    assert score.interval is not None
    assert (score.interval.low, score.interval.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=1e-9)


def test_rouge_l_by_hand() -> None:
    """Longest common subsequence "small effusion", 2 words of 4 and of 3: F 2 * 2 / (4 + 3)."""
    (measure,) = rouge_l(["A small pleural effusion."], ["SMALL left effusion"])
    assert measure.value == pytest.approx(4 / 7, abs=1e-12)


@given(st.lists(st.sampled_from(["no", "effusion", "left", "small", "heart"]), min_size=1, max_size=12))
def test_rouge_l_of_a_text_with_itself_is_one(words) -> None:
    assert rouge_l([" ".join(words)], [" ".join(words)])[0].value == 1.0


def test_meteor_by_hand() -> None:
    """ "effusions" matches "effusion" by its stem only. Three words of three and of four match, in one chunk:
    F = 10 P R / (R + 9 P) with P = 1, R = 3/4, penalty 0.5 * (1/3)^3.
    """
    (measure,) = meteor(["small left effusions"], ["Small left effusion persists"])
    precision, recall = 1.0, 3 / 4
    mean = 10 * precision * recall / (recall + 9 * precision)
    assert measure.value == pytest.approx(mean * (1 - 0.5 * (1 / 3) ** 3), abs=1e-12)


def test_meteor_knows_no_synonyms_and_says_so_in_its_name() -> None:
    (measure,) = meteor(["heart"], ["cardiac"])
    assert measure.value == 0.0
    assert measure.score.metric == "METEOR (exact and stem matches)"


def test_an_empty_text_scores_zero() -> None:
    for measure in (*bleu([""], ["No effusion."]), *rouge_l([""], ["No effusion."]), *meteor([""], ["No effusion."])):
        assert measure.value == 0.0
