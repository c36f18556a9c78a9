"""What is made of a report's text alone: its sentences in order, and the findings that the teacher is told.

Real reports have no truth beside them, so nothing here knows any.
"""

from __future__ import annotations

import re

from kdistill_core.conditions import Condition
from kdistill_core.labeling import label_report, label_sentence
from kdistill_core.labeling.sections import FINDINGS, split_sections
from kdistill_core.labeling.sentences import shown_sentences
from kdistill_core.records import Finding

# From heart to devices, as chest radiographs are dictated; what names no condition comes last.
ANATOMICAL_ORDER = (
    Condition.CARDIOMEGALY, Condition.ENLARGED_CARDIOMEDIASTINUM, Condition.EDEMA, Condition.CONSOLIDATION,
    Condition.PNEUMONIA, Condition.LUNG_OPACITY, Condition.LUNG_LESION, Condition.ATELECTASIS,
    Condition.PLEURAL_EFFUSION, Condition.PNEUMOTHORAX, Condition.PLEURAL_OTHER, Condition.FRACTURE,
    Condition.SUPPORT_DEVICES, Condition.NO_FINDING,
)  # fmt: skip
_PLACE = {condition: place for place, condition in enumerate(ANATOMICAL_ORDER)}
_ITEM = re.compile(r"^\s*(?:\d{1,2}[.)]|[-*•])\s+")


def ordered_report(text: str) -> str:
    """Return what a generator is to write of ``text``: its findings' sentences, each once, in anatomical order.

    They are those of the findings section, where there is one, else all that say what the image shows; without headings
    and item numbers. A sentence stands where the first condition that it names does.
    """
    spans = shown_sentences(text)
    within = [section.body for section in split_sections(text) if section.name == FINDINGS]
    of_findings = [span for span in spans if any(body.start <= span.start < body.end for body in within)]
    said = [_ITEM.sub("", " ".join(text[span.start : span.end].split())) for span in of_findings or spans]
    return " ".join(in_order(list(dict.fromkeys(said))))


def in_order(sentences: list[str]) -> list[str]:
    """Return ``sentences`` by the first condition that each names, in anatomical order; others keep theirs."""
    return sorted(sentences, key=_place)


def findings_read(text: str) -> tuple[Finding, ...]:
    """Return what the teacher reads in a report: all 14 findings, with side and severity as far as they are said."""
    return label_report(text)


def _place(sentence: str) -> int:
    named = (_PLACE[mention.condition] for mention in label_sentence(sentence))
    return min(named, default=len(ANATOMICAL_ORDER))
