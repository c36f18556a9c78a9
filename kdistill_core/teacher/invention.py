"""What a rationale may not say because nobody told it: numbers, dates, names and the story of a patient.

A rationale explains a finding in general. What was in the report's sentence may return; everything else that only a
patient can have is an invention.
"""

from __future__ import annotations

import re

from kdistill_core.teacher.context import RationaleContext

_NUMBER = re.compile(r"\d[\d.,:/-]*\s*(?:%|[a-z]{1,3}\b)?", re.IGNORECASE)
_SPELLED = re.compile(
    r"\b(?:two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty|thirty|forty|fifty)[ -]"
    r"(?:mm|cm|millimet\w+|centimet\w+|liters?|ml|years? old|days? ago|weeks? ago|months? ago|years? ago)\b",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"\b(?:January|February|April|June|July|August|September|October|November|December|Monday|Tuesday|Wednesday|"
    r"Thursday|Friday|Saturday|Sunday|yesterday|today|last (?:night|week|month|year))\b",
    re.IGNORECASE,
)
_PERSON = re.compile(r"\b(?:Dr|Mr|Mrs|Ms|Prof)\b\.?", re.IGNORECASE)
_STORY = re.compile(
    r"\b(?:this (?:patient|man|woman|boy|girl|case)|(?:he|she|his|her|him)\b|"
    r"the patient(?:'s (?!record)| has| had| was)\b|year-old|unchanged (?:since|from)|"
    r"(?:compared|in comparison) (?:with|to)|(?:prior|previous) (?:study|exam\w*|film|radiograph)|"
    r"again (?:seen|noted)|interval (?:change|increase|decrease)|status post|was admitted|complain\w+)",
    re.IGNORECASE,
)
# Capitalized words within a sentence that are no names: what radiology writes in capitals, and words of the language.
_NOT_NAMES = frozenset({"AP", "CT", "PA", "MRI", "MR", "US", "I", "X-ray", "Gram", "Kerley", "Swan-Ganz"})
_CAPITALIZED = re.compile(r"(?<=[a-z,;] )[A-Z][A-Za-z'-]+")


def invented(text: str, context: RationaleContext) -> str:
    """Return what ``text`` says of a patient that ``context`` does not, in plain words; empty where it says nothing."""
    told = context.sentence.casefold()
    for what, pattern in (
        ("a number", _NUMBER),
        ("a measurement", _SPELLED),
        ("a date", _DATE),
        ("a person", _PERSON),
        ("the story of a patient", _STORY),
    ):
        if any(found.group().strip(" .,").casefold() not in told for found in pattern.finditer(text)):
            return f"it says {what} that was not given"
    names = (found.group() for found in _CAPITALIZED.finditer(text))
    strangers = [name for name in names if name not in _NOT_NAMES and name.casefold() not in told]
    return "it says a name that was not given" if strangers else ""
