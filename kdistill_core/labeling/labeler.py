"""The built-in report labeler: mention, scope, and the highest state wins (positive, then uncertain, then negative)."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache

from kdistill_core.conditions import CONDITIONS, FINDING_CONDITIONS, Condition, State
from kdistill_core.labeling.mentions import ANY_STEM, PHRASES
from kdistill_core.labeling.scope import asserts_nothing, clauses, defines, state_of_mention
from kdistill_core.labeling.sentences import shown_sentences
from kdistill_core.records import Finding, Severity, Side, Span

# CheXpert's order: a condition that is asserted anywhere is positive, one that is doubted anywhere is not negative.
_RANK = {State.BLANK: 0, State.NEGATIVE: 1, State.UNCERTAIN: 2, State.POSITIVE: 3}
_BLANKS = re.compile(r"\s+")
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
    """What one sentence says of one condition."""

    condition: Condition
    state: State
    side: Side | None = None
    severity: Severity | None = None


def label_report(text: str) -> tuple[Finding, ...]:
    """Return what ``text`` says of the 14 conditions, in the order of ``CONDITIONS``.

    Sections that do not describe the image (indication, history, comparison, technique) are passed over. Evidence
    spans are the sentences that decided the state. No Finding is positive when nothing but Support Devices is
    positive or uncertain, as in CheXpert (Irvin et al., AAAI 2019); a text without a sentence leaves it blank.
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


def label_sentence(sentence: str) -> tuple[Mention, ...]:
    """Return what one sentence says of the conditions it names, at most one mention a condition."""
    return _label_normalized(_BLANKS.sub(" ", sentence).strip().casefold())


# Reports repeat their sentences: the memory makes the second reading of a template free.
@lru_cache(maxsize=1 << 16)
def _label_normalized(sentence: str) -> tuple[Mention, ...]:
    if not ANY_STEM.search(sentence) or asserts_nothing(sentence):
        return ()
    best: dict[Condition, Mention] = {}
    ranges = clauses(sentence)
    taken: dict[Condition, list[tuple[int, int]]] = defaultdict(list)
    for phrase in PHRASES:
        for match in phrase.pattern.finditer(sentence):
            earlier = taken[phrase.condition]
            if any(match.start() < end and start < match.end() for start, end in earlier):
                continue
            earlier.append(match.span())
            if defines(sentence[: match.start()], sentence[match.end() :]):
                return ()
            mention = _read(phrase.condition, phrase.state, sentence, match, ranges)
            known = best.get(phrase.condition)
            if known is None or _RANK[mention.state] > _RANK[known.state]:
                best[phrase.condition] = mention
    return tuple(mention for mention in best.values() if mention.state is not State.BLANK)


def _read(
    condition: Condition, own: State, sentence: str, match: re.Match[str], ranges: list[tuple[int, int]]
) -> Mention:
    start = max(begin for begin, _ in ranges if begin <= match.start())
    end = min([end for _, end in ranges if end >= match.end()] or [len(sentence)])
    before, after = sentence[start : match.start()], sentence[match.end() : end]
    if condition is Condition.NO_FINDING:
        return Mention(condition, State.POSITIVE)
    state = state_of_mention(before, match.group(), after, own)
    clause = sentence[start:end]
    return Mention(condition, state, _side(clause), _severity(clause))


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
