"""How many words and word sequences a generated text shares with its reference: BLEU, ROUGE-L and METEOR.

None of the three knows what a sentence says: "no effusion" and "effusion" share most of their words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import sacrebleu
from nltk.stem.porter import PorterStemmer
from nltk.translate.meteor_score import single_meteor_score
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.bleu import BLEU

from kdistill_core.evaluation.measures import CaseValues, Floats, Measure, mean_over_cases
from kdistill_core.evaluation.metric_facts import METEOR, ROUGE_L
from kdistill_core.evaluation.scores import Score

BLEU_ORDERS = (1, 2, 3, 4)
_LONGEST = BLEU_ORDERS[-1]
_WORD = re.compile(r"[a-z0-9]+")


def bleu(texts: Sequence[str], references: Sequence[str]) -> tuple[Measure, ...]:
    """Return corpus BLEU-1 to BLEU-4 (Papineni et al., ACL 2002) in [0, 1], n-grams counted by sacrebleu.

    BLEU-k is the geometric mean of the precisions of 1-grams to k-grams over all texts together, times the brevity
    penalty; without smoothing, so 0 where no k-gram is shared. Cases have sentence BLEU-k, smoothed exponentially up to
    the longest n-gram of the text, since most texts alone share no 4-gram; its mean is not corpus BLEU.
    """
    # The counts are the same in every setting of smoothing; without this one sacrebleu warns of each sentence.
    scorer = BLEU(lowercase=True, tokenize="13a", effective_order=True, max_ngram_order=_LONGEST)
    counted = [scorer.sentence_score(text, [reference]) for text, reference in zip(texts, references, strict=True)]
    statistics = np.array(
        [[case.sys_len, case.ref_len, *case.counts, *case.totals] for case in counted], dtype=np.float64
    ).reshape(len(counted), 2 + 2 * _LONGEST)
    note = f"0 to 1; lower case, 13a tokens, no smoothing, one reference; sacrebleu {sacrebleu.__version__}"
    return tuple(
        Measure(
            Score(f"BLEU-{order}", "all texts together", None, len(texts), note=note),
            statistics,
            _bleu_of_order(order),
            CaseValues(f"sentence BLEU-{order}", np.array([_sentence_bleu(row, order) for row in statistics])),
        )
        for order in BLEU_ORDERS
    )


def rouge_l(texts: Sequence[str], references: Sequence[str]) -> tuple[Measure, ...]:
    """Return the mean F-measure of ROUGE-L (Lin, ACL workshop 2004): the longest common subsequence of words."""
    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    cases = [
        scorer.score(reference, text)["rougeL"].fmeasure for text, reference in zip(texts, references, strict=True)
    ]
    return (_mean(ROUGE_L.name, cases, "F-measure; lower-case words and numbers, no stemming; rouge-score"),)


def meteor(texts: Sequence[str], references: Sequence[str]) -> tuple[Measure, ...]:
    """Return the mean METEOR (Lavie and Agarwal, WMT 2007) without its matches of synonyms, which need WordNet.

    Lower than, and not comparable to, METEOR with synonyms or METEOR 1.5.
    """
    stemmer, wordnet = _CachedStemmer(), _NoSynonyms()
    cases = [
        single_meteor_score(
            _WORD.findall(reference.lower()), _WORD.findall(text.lower()), stemmer=stemmer, wordnet=wordnet
        )
        for text, reference in zip(texts, references, strict=True)
    ]
    return (_mean(METEOR.name, cases, "alpha 0.9, beta 3, gamma 0.5; lower-case words and numbers; nltk"),)


class _CachedStemmer:
    """Porter's stemmer with a memory: reports repeat their words."""

    def __init__(self) -> None:
        self.stem = lru_cache(maxsize=1 << 16)(PorterStemmer().stem)


class _NoSynonyms:
    """What nltk asks for synonyms, knowing none."""

    def synsets(self, _word: str) -> list[object]:
        return []


def _mean(name: str, cases: Sequence[float], note: str) -> Measure:
    values = np.array(cases, dtype=np.float64)
    return mean_over_cases(Score(name, "mean over cases", None, len(values), note=note), values, name)


def _bleu_of_order(order: int) -> Callable[[Floats], Floats]:
    """Return BLEU of ``order`` from sums [..., 10]: words of texts, of references, matched n-grams, all n-grams."""

    def formula(sums: Floats) -> Floats:
        said, reference = sums[..., 0], sums[..., 1]
        matched, total = sums[..., 2 : 2 + order], sums[..., 2 + _LONGEST : 2 + _LONGEST + order]
        shared = np.asarray((matched > 0).all(-1))
        precisions = np.where(shared[..., None], matched, 1.0) / np.where(shared[..., None], total, 1.0)
        brevity = np.exp(np.minimum(0.0, 1.0 - reference / np.where(said > 0, said, 1.0)))
        return np.where(shared, brevity * np.exp(np.log(precisions).mean(-1)), 0.0)

    return formula


def _sentence_bleu(row: Floats, order: int) -> float:
    numbers = [int(value) for value in row]
    score = BLEU.compute_bleu(
        numbers[2 : 2 + order],
        numbers[2 + _LONGEST : 2 + _LONGEST + order],
        numbers[0],
        numbers[1],
        smooth_method="exp",
        effective_order=True,
        max_ngram_order=order,
    )
    return float(score.score) / 100
