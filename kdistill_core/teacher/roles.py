"""The part that a sentence plays in a rationale, told by how it is worded.

A student that learned from an earlier library still writes in that library's words, so that no list of sentences, only
their frames, tells what a sentence is.
"""

from __future__ import annotations

import re

from kdistill_core.records import SentenceRole

_EXAMINATIONS = "ct|ultrasound|echocardiography|films?|views?"
# In this order: what speaks against may name what it argues for, and a sign may be told within an argument.
_FRAMES = (
    (SentenceRole.AGAINST, re.compile(r"\bwould (?:speak|argue) against\b|\bwould weaken\b")),
    (SentenceRole.ARGUMENT, re.compile(r"\bargues? for\b")),
    (SentenceRole.SIGN, re.compile(r"\blook for\b|\bshows? as\b")),
    (SentenceRole.SETTLES, re.compile(rf"\bsettles?\b|\bconfirms?\b|\b(?:{_EXAMINATIONS})\b.*\bshows?\b")),
    (SentenceRole.DEFINITION, re.compile(r"^(?:an? |the )?(?:[a-z]+ ){1,4}(?:is|are) (?!no\b|not\b|possibly\b)")),
)


def role_of(sentence: str) -> SentenceRole:
    """Return the part that ``sentence``, which asserts no finding, plays; OTHER where its wording does not tell."""
    said = sentence.casefold()
    return next((role for role, frame in _FRAMES if frame.search(said)), SentenceRole.OTHER)
