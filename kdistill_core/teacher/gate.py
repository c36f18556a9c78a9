"""The gate: which written rationales may stand, and why the others may not.

A rationale is generic: it explains a finding, it does not describe a patient. So it passes only when it has its parts,
reads well, says nothing of a patient that it was not told, when the report labeler reads exactly the finding from it
that was given, and when the knowledge base supports every sentence of it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from kdistill_core.conditions import Condition, State
from kdistill_core.labeling import IMPLIED, label_report, label_sentence
from kdistill_core.records import SentenceRole
from kdistill_core.teacher.context import RationaleContext
from kdistill_core.teacher.grounding import GateVerdict, first_reason, judge_against, passed
from kdistill_core.teacher.invention import invented
from kdistill_core.teacher.knowledge import Knowledge, KnowledgeBase
from kdistill_core.teacher.parts import Part, parts_for, read_parts

__all__ = ["GateVerdict", "Judged", "first_reason", "judge_draft", "judge_rationale", "passed"]

# The knowledge base's own rationales have 15 to 109 words; the bounds leave room on both sides.
MOST_WORDS = 180
# Flesch's reading ease (Flesch 1948); the knowledge base's own rationales have 51 to 89.
LEAST_READING_EASE = 10.0
_WORD = re.compile(r"[A-Za-z]+(?:['-][A-Za-z]+)*")
_VOWELS = re.compile(r"[aeiouy]+")


@dataclass(frozen=True)
class Judged:
    """A draft taken apart, and what every check says of it. statements: what each part is grounded in, if anything."""

    parts: tuple[Part, ...]
    verdicts: tuple[GateVerdict, ...]
    statements: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        return passed(self.verdicts)

    @property
    def reason(self) -> str:
        """The first failed check and its reason, empty when all passed."""
        return first_reason(self.verdicts)

    @cached_property
    def text(self) -> str:
        """The sentences without their labels."""
        return " ".join(part.text for part in self.parts)


def judge_draft(text: str, context: RationaleContext, knowledge: KnowledgeBase | None) -> Judged:
    """Return the verdicts on labeled lines that were written for ``context``.

    knowledge: what every sentence has to be grounded in; None asks for no grounding, for a teacher that knows more
    than the knowledge base and is judged in another way.
    """
    parts = read_parts(text)
    said = " ".join(part.text for part in parts)
    verdicts = [
        _verdict("parts", _parts(parts, context.state)),
        _verdict("form", next(_faults_of_form(parts), "")),
        _verdict("length", _length(said)),
        _verdict("repetition", _repetition(parts)),
        _verdict("readability", _readability(said)),
        _verdict("invention", invented(said, context)),
        judge_rationale(said, context.condition, context.state),
        _verdict("assertion", _assertion(parts, context)),
    ]
    if knowledge is None:
        return Judged(parts, tuple(verdicts))
    statements, grounds = _grounds(parts, context, knowledge[context.condition])
    return Judged(parts, (*verdicts, *grounds), statements)


def judge_rationale(text: str, condition: Condition, state: State) -> GateVerdict:
    """Return whether the report labeler reads ``condition`` in ``state`` from ``text``, and no other condition."""
    allowed = {condition, Condition.NO_FINDING, *IMPLIED.get(condition, ())}
    reason = ""
    for finding in label_report(text):
        if finding.condition is condition and finding.state is not state:
            reason = f"the labeler reads {condition} as {finding.state}"
        elif finding.state in (State.POSITIVE, State.UNCERTAIN) and finding.condition not in allowed:
            reason = f"the labeler also reads {finding.condition} as {finding.state}"
    return _verdict("labeler", reason)


def _verdict(check: str, reason: str) -> GateVerdict:
    return GateVerdict(check, not reason, reason)


def _parts(parts: Sequence[Part], state: State) -> str:
    wanted, given = parts_for(state), tuple(part.role for part in parts)
    if wanted == given:
        return ""
    missing = [role for role in wanted if role not in given]
    if missing:
        return f"it lacks {', '.join(missing)}"
    return "it holds lines that are no part of it" if len(given) > len(wanted) else "its parts are out of order"


def _faults_of_form(parts: Sequence[Part]) -> Iterator[str]:
    for part in parts:
        if not re.fullmatch(r"[A-Z][^.?!\n]*\.", part.text):
            yield f"the {part.role} is not one whole sentence"
        elif re.search(r"[^\w\s,.'()/-]", part.text):
            yield f"the {part.role} does not look like a plain sentence"
    if not parts:
        yield "nothing was written"


def _length(said: str) -> str:
    count = len(said.split())
    return f"it has {count} words, more than {MOST_WORDS}" if count > MOST_WORDS else ""


def _repetition(parts: Sequence[Part]) -> str:
    sentences = Counter(part.text.casefold() for part in parts)
    if any(count > 1 for count in sentences.values()):
        return "it says a sentence twice"
    for part in parts:
        words = [word.casefold() for word in _WORD.findall(part.text)]
        if any(count > 1 for count in Counter(zip(words, words[1:], words[2:], words[3:], strict=False)).values()):
            return f"the {part.role} repeats itself"
    return ""


def _readability(said: str) -> str:
    ease = reading_ease(said)
    return f"its reading ease is {ease:.0f}, under {LEAST_READING_EASE:.0f}" if ease < LEAST_READING_EASE else ""


def reading_ease(text: str) -> float:
    """Return Flesch's reading ease, about 0 (hard) to 100 (easy); 0 for a text without words.

    Syllables are counted as runs of vowels, without a silent e at the end, which is right for most words.
    """
    words = _WORD.findall(text)
    if not words:
        return 0.0
    sentences = max(1, len(re.findall(r"[.?!](?:\s|$)", text)))
    syllables = sum(max(1, len(_VOWELS.findall(word.lower().removesuffix("e")))) for word in words)
    return 206.835 - 1.015 * len(words) / sentences - 84.6 * syllables / len(words)


def _assertion(parts: Sequence[Part], context: RationaleContext) -> str:
    """Side and severity have to be those that were given; where none was given, none may be said."""
    opening = next((part.text for part in parts if part.role is SentenceRole.ASSERTION), "")
    if context.condition is Condition.NO_FINDING:
        return ""
    mention = next((found for found in label_sentence(opening) if found.condition is context.condition), None)
    if mention is None:
        return f"it does not assert {context.condition}"
    if mention.side is not context.side and (mention.side is not None or context.state is not State.NEGATIVE):
        return f"it says the side {mention.side or 'is unknown'} where {context.side or 'none'} was given"
    severity = context.severity if context.state is not State.NEGATIVE else None
    if mention.severity is not severity:
        return f"it says the severity {mention.severity or 'is unknown'} where {severity or 'none'} was given"
    return ""


def _grounds(
    parts: Sequence[Part], context: RationaleContext, knowledge: Knowledge
) -> tuple[tuple[str, ...], list[GateVerdict]]:
    """Return what each part says again of the knowledge base, and a verdict a part."""
    fitting = knowledge.fitting(context.state, context.severity, context.side)
    statements: list[str] = []
    verdicts: list[GateVerdict] = []
    for part in parts:
        if part.role is SentenceRole.OTHER:
            statements.append("")
            continue
        known = (
            (knowledge.assertion(context.state, context.side, context.severity),)
            if part.role is SentenceRole.ASSERTION
            else knowledge.of_role(part.role, fitting)
        )
        nearest, judged = judge_against(part.text, known, part.role)
        reason = first_reason(judged)
        statements.append("" if reason else nearest)
        verdicts.append(_verdict(f"grounding of the {part.role}", reason))
    verdicts.append(_verdict("coherence", _coherence(parts, statements, knowledge)))
    return tuple(statements), verdicts


def _coherence(parts: Sequence[Part], statements: Sequence[str], knowledge: Knowledge) -> str:
    """The argument has to be that of the sign beside it."""
    said = {part.role: statement for part, statement in zip(parts, statements, strict=True)}
    sign, argument = said.get(SentenceRole.SIGN, ""), said.get(SentenceRole.ARGUMENT, "")
    if not sign or not argument:
        return ""
    fitting = any(known.text == sign and known.argument == argument for known in knowledge.signs)
    return "" if fitting else "its argument is that of another sign"
