"""The built-in report labeler: mention, scope, and the highest state wins (positive, then uncertain, then negative).

Why not a kept library: medspaCy's ConText has the cue words but not the wordings of these 14 conditions, their
sections, "costophrenic angles are sharp", or the lists and alternatives of reports; and it needs a spaCy pipeline,
whose maintainers quote about 5,000 to 10,000 words a second on a core (explosion/spaCy issues 1508 and 5431), some 100
to 300 reports, where 2,000 are asked for.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from kdistill_core.conditions import CONDITIONS, FINDING_CONDITIONS, Condition, State
from kdistill_core.labeling.phrases import PHRASES, Phrase
from kdistill_core.labeling.scope import Reading, ReadSentence, Reason, asserts_nothing, defines, prepare, read
from kdistill_core.labeling.sentences import shown_sentences
from kdistill_core.records import Finding, Severity, Side, Span

# CheXpert's order: a condition that is asserted anywhere is positive, one that is doubted anywhere is not negative.
_RANK = {State.BLANK: 0, State.NEGATIVE: 1, State.UNCERTAIN: 2, State.POSITIVE: 3}
_BOTH_SIDES = re.compile(r"\b(?:bilateral\w*|both|bi-?(?:basilar|basal|apical)|either)\b")
_LEFT = re.compile(r"\b(?:left|lingul\w+|left-sided)\b")
_RIGHT = re.compile(r"\b(?:right|right-sided)\b")
_SEVERITIES: tuple[tuple[Severity, re.Pattern[str]], ...] = (
    (Severity.LARGE, re.compile(r"\b(?:large|massive|severe|marked|extensive|gross)(?:ly)?\b")),
    (Severity.MODERATE, re.compile(r"\bmoderate(?:ly)?\b")),
    (Severity.SMALL, re.compile(r"\b(?:small|mild|minimal|trace|tiny|slight|subtle|minor)(?:ly)?\b")),
)


@dataclass(frozen=True)
class Mention:
    """What one sentence says of one condition in one place.

    span: the words that name the condition; cue: the words that deny it, doubt it or put it in the past, None where
    there are none; both as character ranges of the sentence.
    """

    condition: Condition
    state: State
    span: Span
    reason: Reason = Reason.ASSERTION
    cue: Span | None = None
    side: Side | None = None
    severity: Severity | None = None


@dataclass(frozen=True)
class Evidence:
    """One mention of a condition in a report and why it counts as it does; all spans are ranges of the report."""

    condition: Condition
    state: State
    reason: Reason
    mention: Span
    cue: Span | None
    sentence: Span


def label_report(text: str) -> tuple[Finding, ...]:
    """Return what ``text`` says of the 14 conditions, in the order of ``CONDITIONS``.

    Sections that do not describe the image (indication, history, comparison, technique) are passed over. Evidence
    spans are the sentences that decided the state; :func:`explain_labels` gives the words. No Finding is positive when
    nothing but Support Devices is positive or uncertain, as in CheXpert (Irvin et al., AAAI 2019); a text without a
    sentence leaves it blank.
    """
    said: dict[Condition, list[tuple[Mention, Span]]] = defaultdict(list)
    sentences = shown_sentences(text)
    for span in sentences:
        for mention in label_sentence(text[span.start : span.end]):
            said[mention.condition].append((mention, span))
    findings = {condition: _finding(condition, said[condition]) for condition in FINDING_CONDITIONS}
    abnormal = any(
        finding.state in (State.POSITIVE, State.UNCERTAIN)
        for condition, finding in findings.items()
        if condition is not Condition.SUPPORT_DEVICES
    )
    state = State.POSITIVE if sentences and not abnormal else State.BLANK
    evidence = tuple(span for _, span in said[Condition.NO_FINDING]) if state is State.POSITIVE else ()
    findings[Condition.NO_FINDING] = Finding(Condition.NO_FINDING, state, evidence=evidence)
    return tuple(findings[condition] for condition in CONDITIONS)


def explain_labels(text: str) -> tuple[Evidence, ...]:
    """Return every mention that :func:`label_report` reads in ``text``, in the order of the text.

    A condition has the highest state among its mentions; a mention of the past only is blank and counts for nothing.
    """
    found = []
    for sentence in shown_sentences(text):
        for mention in _mentions(text[sentence.start : sentence.end]):
            cue = None if mention.cue is None else _moved(mention.cue, sentence.start)
            place = _moved(mention.span, sentence.start)
            found.append(Evidence(mention.condition, mention.state, mention.reason, place, cue, sentence))
    return tuple(sorted(found, key=lambda evidence: (evidence.mention.start, evidence.mention.end)))


def label_sentence(sentence: str) -> tuple[Mention, ...]:
    """Return what one sentence says of the conditions it names: of each the mention with the highest state."""
    best: dict[Condition, Mention] = {}
    for mention in _mentions(sentence):
        known = best.get(mention.condition)
        if known is None or _RANK[mention.state] > _RANK[known.state]:
            best[mention.condition] = mention
    return tuple(mention for mention in best.values() if mention.state is not State.BLANK)


def _mentions(sentence: str) -> tuple[Mention, ...]:
    normalized = " ".join(sentence.split()).lower()
    mentions = _mentions_of_normalized(normalized)
    if not mentions or len(normalized) == len(sentence):
        return mentions
    places = _places(sentence)
    return tuple(
        replace(
            mention,
            span=_mapped(mention.span, places),
            cue=None if mention.cue is None else _mapped(mention.cue, places),
        )
        for mention in mentions
    )


# Reports repeat their sentences: the memory makes the second reading of a template free.
@lru_cache(maxsize=1 << 16)
def _mentions_of_normalized(text: str) -> tuple[Mention, ...]:
    named = [phrase for phrase in PHRASES if any(stem in text for stem in phrase.stems)]
    if not named or asserts_nothing(text):
        return ()
    sentence: ReadSentence | None = None
    mentions = []
    for phrase, span in _named(text, named):
        if defines(text, span):
            return ()
        sentence = sentence or prepare(text)
        mentions.append(_mention(phrase, sentence, span))
    return tuple(mentions)


def _named(text: str, phrases: Sequence[Phrase]) -> Iterator[tuple[Phrase, Span]]:
    """Yield each place where a phrase names its condition; an earlier phrase of the condition takes its words."""
    taken: dict[Condition, list[Span]] = defaultdict(list)
    for phrase in phrases:
        for match in phrase.pattern.finditer(text):
            span = Span(match.start(), match.end())
            earlier = taken[phrase.condition]
            if not any(span.start < other.end and other.start < span.end for other in earlier):
                earlier.append(span)
                yield phrase, span


def _mention(phrase: Phrase, sentence: ReadSentence, span: Span) -> Mention:
    if phrase.condition is Condition.NO_FINDING:
        return Mention(phrase.condition, State.POSITIVE, span, Reason.WORDING)
    reading: Reading = read(sentence, span, phrase.state)
    within = sentence.clause_of(span)
    clause = sentence.text[within.start : within.end]
    return Mention(phrase.condition, reading.state, span, reading.reason, reading.cue, _side(clause), _severity(clause))


def _side(clause: str) -> Side | None:
    if _BOTH_SIDES.search(clause):
        return Side.BILATERAL
    left, right = _LEFT.search(clause), _RIGHT.search(clause)
    if left and right:
        return Side.BILATERAL
    if left:
        return Side.LEFT
    return Side.RIGHT if right else None


def _severity(clause: str) -> Severity | None:
    return next((severity for severity, pattern in _SEVERITIES if pattern.search(clause)), None)


def _finding(condition: Condition, mentions: list[tuple[Mention, Span]]) -> Finding:
    if not mentions:
        return Finding(condition, State.BLANK)
    state = max((mention.state for mention, _ in mentions), key=_RANK.__getitem__)
    deciding = [(mention, span) for mention, span in mentions if mention.state is state]
    sides = {mention.side for mention, _ in deciding if mention.side is not None}
    severities = [mention.severity for mention, _ in deciding if mention.severity is not None]
    side = None if not sides else sides.pop() if len(sides) == 1 else Side.BILATERAL
    if state is State.NEGATIVE:
        side, severities = None, []
    evidence = tuple(dict.fromkeys(span for _, span in deciding))
    return Finding(condition, state, side=side, severity=severities[0] if severities else None, evidence=evidence)


def _places(sentence: str) -> list[int]:
    """Return where each character of the normalized sentence stands in ``sentence``, and the end of the last."""
    places: list[int] = []
    for word in re.finditer(r"\S+", sentence):
        if places:
            places.append(word.start() - 1)
        for place, character in enumerate(word.group(), word.start()):
            places += [place] * len(character.lower())
    return [*places, places[-1] + 1 if places else 0]


def _mapped(span: Span, places: list[int]) -> Span:
    return Span(places[span.start], places[span.end - 1] + 1)


def _moved(span: Span, by: int) -> Span:
    return Span(span.start + by, span.end + by)
