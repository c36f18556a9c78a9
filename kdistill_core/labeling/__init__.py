"""Report text to findings: what a text asserts, denies or leaves open of each of the 14 conditions."""

from __future__ import annotations

from kdistill_core.labeling.hierarchy import IMPLIED, with_implied
from kdistill_core.labeling.labeler import Evidence, Mention, explain_labels, label_report, label_sentence
from kdistill_core.labeling.scope import Reason
from kdistill_core.labeling.sections import SectionText, generation_target, labeling_text, report_sections
from kdistill_core.labeling.sentences import split_sentences

__all__ = [
    "IMPLIED",
    "Evidence",
    "Mention",
    "Reason",
    "SectionText",
    "explain_labels",
    "generation_target",
    "label_report",
    "label_sentence",
    "labeling_text",
    "report_sections",
    "split_sentences",
    "with_implied",
]
