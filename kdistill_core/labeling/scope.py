"""Which cue reaches which mention, and what it makes of it."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from enum import StrEnum

from kdistill_core.conditions import State
from kdistill_core.labeling.cues import (
    AND_CLAUSE,
    ARTICLE_ALONE,
    CLAUSE_END,
    DEFINITION_VERB,
    HEDGE_AFTER,
    HEDGE_BEFORE,
    HEDGE_END,
    HEDGE_WITHIN,
    HISTORY_BEFORE,
    LIST_GOES_ON,
    NEGATION_AFTER,
    NEGATION_BEFORE,
    NEGATION_END,
    NEGATION_WITHIN,
    NOT_EXCLUDED,
    OR_AFTER,
    OR_BEFORE,
    PSEUDO_NEGATION,
    PSEUDO_STEM,
    SUPPOSITION,
    VERB,
    VERSUS_AFTER,
    VERSUS_BEFORE,
)
from kdistill_core.records import Span


class Reason(StrEnum):
    """Why a mention has the state it has."""

    ASSERTION = "assertion"  # nothing speaks against it
    WORDING = "wording"  # the wording itself denies it or leaves it open: "heart size is normal"
    NEGATION = "negation"
    NOT_EXCLUDED = "not excluded"
    HEDGE = "hedge"
    VERSUS = "versus"  # one of several that the report does not decide between
    ALTERNATIVE = "alternative"  # "A or B": asserted, though CheXpert's own labeler leaves it open
    HISTORY = "history"  # of the past only, which leaves it blank


@dataclass(frozen=True)
class Reading:
    """The state of one mention and the words that decided it; ``cue`` is None where none stands outside the mention."""

    state: State
    reason: Reason
    cue: Span | None = None


@dataclass(frozen=True)
class ReadSentence:
    """A sentence prepared for reading.

    text: lower case, single blanks. masked: the text with what only looks like a negation blanked out, of the same
    length. clauses: the ranges within which a cue reaches.
    """

    text: str
    masked: str
    clauses: tuple[Span, ...]

    def clause_of(self, mention: Span) -> Span:
        """Return the range in which cues for a mention are looked for."""
        start = max(clause.start for clause in self.clauses if clause.start <= mention.start)
        end = min(clause.end for clause in self.clauses if clause.end >= mention.end)
        return Span(start, end)


def prepare(text: str) -> ReadSentence:
    """Return a sentence (lower case, single blanks) with its clauses."""
    cuts = {cut.start() for cut in CLAUSE_END.finditer(text)}
    cuts |= {cut.start() for cut in AND_CLAUSE.finditer(text) if VERB.search(text, 0, cut.start())}
    edges = itertools.pairwise([0, *sorted(cuts), len(text)])
    masked = PSEUDO_NEGATION.sub(_blank, text) if PSEUDO_STEM.search(text) else text
    return ReadSentence(text, masked, tuple(Span(start, end) for start, end in edges))


def asserts_nothing(text: str) -> bool:
    """Tell whether a sentence only supposes, advises or argues in general."""
    return SUPPOSITION.search(text) is not None


def defines(text: str, mention: Span) -> bool:
    """Tell whether a mention is the subject of a definition."""
    return (
        DEFINITION_VERB.match(text, mention.end) is not None
        and ARTICLE_ALONE.fullmatch(text, 0, mention.start) is not None
    )


def read(sentence: ReadSentence, mention: Span, own: State) -> Reading:
    """Return what its clause makes of a mention.

    ``own`` is the state that the wording carries by itself ("heart size is normal" denies cardiomegaly). The order is
    CheXpert's: a negated exclusion goes before a negation, a negation before a doubt.
    """
    if own is State.NEGATIVE:
        return Reading(own, Reason.WORDING)
    clause = sentence.clause_of(mention)
    past = HISTORY_BEFORE.search(sentence.text, clause.start, mention.start)
    if past:
        return Reading(State.BLANK, Reason.HISTORY, _span(past))
    open_ = NOT_EXCLUDED.search(sentence.text, clause.start, mention.start) or NOT_EXCLUDED.search(
        sentence.text, mention.end, clause.end
    )
    if open_:
        return Reading(State.UNCERTAIN, Reason.NOT_EXCLUDED, _span(open_))
    reading = _negation(sentence, mention, clause) or _doubt(sentence.text, mention, clause)
    if reading:
        return reading
    if own is State.UNCERTAIN:
        return Reading(own, Reason.WORDING)
    other = OR_AFTER.match(sentence.text, mention.end, clause.end) or OR_BEFORE.search(
        sentence.text, clause.start, mention.start
    )
    if other:
        return Reading(State.POSITIVE, Reason.ALTERNATIVE, _trimmed(other))
    return Reading(State.POSITIVE, Reason.ASSERTION)


def _negation(sentence: ReadSentence, mention: Span, clause: Span) -> Reading | None:
    if NEGATION_WITHIN.search(sentence.text, mention.start, mention.end):
        return Reading(State.NEGATIVE, Reason.WORDING)
    after = NEGATION_AFTER.match(sentence.masked, mention.end, clause.end)
    if after:
        return Reading(State.NEGATIVE, Reason.NEGATION, _trimmed(after))
    cue = _last(NEGATION_BEFORE, sentence.masked, clause.start, mention.start)
    if cue is None or _list_is_over(sentence.masked, cue.end(), mention, clause):
        return None
    return Reading(State.NEGATIVE, Reason.NEGATION, _span(cue))


def _doubt(text: str, mention: Span, clause: Span) -> Reading | None:
    if HEDGE_WITHIN.search(text, mention.start, mention.end):
        return Reading(State.UNCERTAIN, Reason.WORDING)
    cue = _last(HEDGE_BEFORE, text, clause.start, mention.start)
    if cue is not None and not HEDGE_END.search(text, cue.end(), mention.start):
        return Reading(State.UNCERTAIN, Reason.HEDGE, _span(cue))
    after = HEDGE_AFTER.match(text, mention.end, clause.end)
    if after:
        return Reading(State.UNCERTAIN, Reason.HEDGE, _trimmed(after))
    other = VERSUS_AFTER.match(text, mention.end, clause.end) or VERSUS_BEFORE.search(text, clause.start, mention.start)
    return Reading(State.UNCERTAIN, Reason.VERSUS, _trimmed(other)) if other else None


def _list_is_over(text: str, begin: int, mention: Span, clause: Span) -> bool:
    """Tell whether a list that a negation before ``begin`` opened is over before the mention."""
    end = NEGATION_END.search(text, begin, mention.start)
    if end is None:
        return False
    enumeration = end.group().startswith(",") and "there" not in end.group()
    goes_on = LIST_GOES_ON.search(text, end.end(), mention.start) or LIST_GOES_ON.search(text, mention.end, clause.end)
    return not (enumeration and goes_on)


def _last(pattern: re.Pattern[str], text: str, start: int, end: int) -> re.Match[str] | None:
    last = None
    for last in pattern.finditer(text, start, end):  # noqa: B007 - the last one is what is asked for
        pass
    return last


def _span(match: re.Match[str]) -> Span:
    return Span(match.start(), match.end())


def _trimmed(match: re.Match[str]) -> Span:
    """Return where ``match`` stands, without the blanks and commas around it."""
    found = match.group()
    start = match.start() + len(found) - len(found.lstrip(" ,"))
    return Span(start, start + len(found.strip(" ,")))


def _blank(match: re.Match[str]) -> str:
    return " " * len(match.group())
