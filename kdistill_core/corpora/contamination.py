"""Documents that hold what a model will be asked: they are kept out of its training, or the score says nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kdistill_core.corpora.records import PubMedQuestion
from kdistill_core.corpora.shingles import RUN, Shingled, runs_of, words_of

# Runs of 13 words are what GPT-3's authors took for an overlap (Brown et al., NeurIPS 2020, appendix C).
LONGEST_SHARED_RUN = 13
# A text of fewer words than these is too general to be recognized by them; one of up to 13 counts as a whole.
_FEWEST_WORDS = 8


class EvaluationTexts:
    """The questions, contexts and answers of an evaluation.

    ids: of documents the evaluation was made from, such as ``pubmed:21645374``. texts: what it asks and shows.
    """

    def __init__(self, ids: Iterable[str] = (), texts: Iterable[str] = ()) -> None:
        self._ids = frozenset(ids)
        self._runs: set[str] = set()
        for text in texts:
            words = words_of(text)
            if len(words) >= _FEWEST_WORDS:
                self._runs.update(runs_of(words, LONGEST_SHARED_RUN))
        # Few places of a document begin as one of the runs does, and only there the whole run has to be compared.
        self._beginnings = {_beginning(run) for run in self._runs}
        self._lengths = sorted({run.count(" ") + 1 for run in self._runs})

    def overlap(self, name: str, text: Shingled) -> str:
        """Return why the document of this id and text may not be trained on, an empty text where it may."""
        if name in self._ids:
            return "is a document that the evaluation asks about"
        if self._beginnings.isdisjoint(text.runs):
            return ""
        words = text.words
        for place, beginning in enumerate(text.runs):
            if beginning in self._beginnings:
                for length in self._lengths:
                    if " ".join(words[place : place + length]) in self._runs:
                        return f"shares {length} words in a row with the evaluation"
        return ""


def of_pubmedqa(questions: Mapping[str, PubMedQuestion]) -> EvaluationTexts:
    """Return what PubMedQA asks about: its abstracts by PMID, and every question, context and answer."""
    texts = (text for entry in questions.values() for text in (entry.question, *entry.contexts, entry.long_answer))
    return EvaluationTexts((f"pubmed:{pmid}" for pmid in questions), texts)


def _beginning(run: str) -> str:
    return " ".join(run.split(" ")[:RUN])
