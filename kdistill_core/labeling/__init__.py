"""Report text to findings: what a text asserts, denies or leaves open of each of the 14 conditions."""

from __future__ import annotations

from kdistill_core.labeling.hierarchy import IMPLIED, with_implied
from kdistill_core.labeling.labeler import label_report, label_sentence
from kdistill_core.labeling.sentences import split_sentences

__all__ = ["IMPLIED", "label_report", "label_sentence", "split_sentences", "with_implied"]
