"""Student's and teacher's rationale of one case compared, sentence by sentence.

Meaning decides, not wording: the report labeler reads what each sentence asserts, so that "effusion" and "no effusion"
contradict each other however alike they look. Sentences that assert nothing (signs, arguments) are paired within their
condition by the content words they share.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kdistill_core.conditions import Condition, State
from kdistill_core.labeling import label_sentence, split_sentences
from kdistill_core.records import Comparison, Match, Rationale, Sentence, Side, Verdict

_WORD = re.compile(r"[a-z]+")
_EMPTY_WORDS = """
    a an the is are was were be been that which whose who it its their them of and so because this these those such do
    does has have had as to also then there one for in on at by with or what sign look
    show shows
"""
_EMPTY = frozenset(_EMPTY_WORDS.split())
_NEGATIONS = frozenset({"no", "not", "without", "never", "neither", "nor", "cannot"})
_AGAINST = re.compile(r"\b(?:speaks?|argues?) against\b|\bweaken\w*\b", re.IGNORECASE)
_ENDINGS = ("ing", "ed", "es", "s", "e")


@dataclass(frozen=True)
class Similarity:
    """How alike two explanations are. measure: of two sentences, in [0, 1]; same_meaning: from where on they match."""

    name: str
    measure: Callable[[str, str], float]
    same_meaning: float


@dataclass(frozen=True)
class _Claim:
    """What one sentence says of one condition; ``state`` is BLANK for an explanation, which asserts nothing."""

    sentence: int
    text: str
    condition: Condition | None
    state: State
    side: Side | None = None


def word_overlap(first: str, second: str) -> float:
    """Return the share of content words that two sentences have in common (Dice), in [0, 1]."""
    left, right = _content(first), _content(second)
    if not left or not right:
        return 0.0
    return 2 * len(left & right) / (len(left) + len(right))


# Two explanations of one condition that share fewer content words say different things; set on the variants of the
# rationale library, where rewordings of one statement share more and different statements fewer.
WORD_OVERLAP = Similarity("content-word overlap (Dice)", word_overlap, same_meaning=0.5)


def compare(student: Rationale, teacher: Rationale, similarity: Similarity = WORD_OVERLAP) -> Comparison:
    """Return how each sentence of the two rationales stands to the other rationale.

    A sentence that speaks of several conditions has a match for each. An uncertain statement agrees with a positive
    one and contradicts a negative one; opposite sides contradict each other; No Finding contradicts every finding but
    Support Devices. Explanations, which assert nothing, match by ``similarity``, which the comparison names.
    """
    left, right = _claims(student), _claims(teacher)
    matches = [
        *_match_assertions(
            [c for c in left if c.state is not State.BLANK], [c for c in right if c.state is not State.BLANK]
        ),
        *_match_explanations(
            [c for c in left if c.state is State.BLANK], [c for c in right if c.state is State.BLANK], similarity
        ),
    ]
    method = f"report labeler per sentence; {similarity.name} of explanations within a condition"
    return Comparison(tuple(sorted(matches, key=_reading_order)), method)


def _claims(rationale: Rationale) -> list[_Claim]:
    sentences = rationale.sentences or tuple(Sentence(span) for span in split_sentences(rationale.text))
    claims: list[_Claim] = []
    topic: Condition | None = None
    for index, sentence in enumerate(sentences):
        text = rationale.text[sentence.span.start : sentence.span.end]
        mentions = label_sentence(text)
        asserted = [mention for mention in mentions if mention.condition is not Condition.NO_FINDING] or list(mentions)
        if asserted:
            topic = asserted[-1].condition
            claims.extend(_Claim(index, text, said.condition, said.state, said.side) for said in asserted)
        else:
            claims.append(_Claim(index, text, sentence.condition or topic, State.BLANK))
    return claims


def _match_assertions(left: list[_Claim], right: list[_Claim]) -> Iterable[Match]:
    matched: set[int] = set()
    for claim in right:
        partner = next((c for c in left if c.condition is claim.condition and id(c) not in matched), None)
        if partner is None:
            partner = next((c for c in left if _excludes(c, claim)), None)
        if partner is None:
            yield Match(Verdict.ONLY_TEACHER, claim.condition, None, claim.sentence)
            continue
        matched.add(id(partner))
        agreed = not _excludes(partner, claim) and not _opposed(partner, claim)
        verdict = Verdict.AGREED if agreed else Verdict.CONTRADICTED
        yield Match(verdict, claim.condition, partner.sentence, claim.sentence, 1.0 if agreed else 0.0)
    for claim in left:
        if id(claim) in matched:
            continue
        excluded = next((c for c in right if _excludes(c, claim)), None)
        if excluded is not None:
            yield Match(Verdict.CONTRADICTED, claim.condition, claim.sentence, excluded.sentence, 0.0)
        else:
            yield Match(Verdict.ONLY_STUDENT, claim.condition, claim.sentence, None)


def _opposed(first: _Claim, second: _Claim) -> bool:
    states = {first.state, second.state}
    if State.NEGATIVE in states:
        return len(states) > 1
    return {first.side, second.side} == {Side.LEFT, Side.RIGHT}


def _excludes(first: _Claim, second: _Claim) -> bool:
    """Tell whether one says that nothing is found and the other names a finding."""
    said = {first.condition, second.condition}
    if Condition.NO_FINDING not in said or len(said) == 1 or Condition.SUPPORT_DEVICES in said:
        return False
    other = second if first.condition is Condition.NO_FINDING else first
    return other.state is not State.NEGATIVE


def _match_explanations(left: list[_Claim], right: list[_Claim], similarity: Similarity) -> Iterable[Match]:
    by_condition: dict[Condition | None, tuple[list[_Claim], list[_Claim]]] = defaultdict(lambda: ([], []))
    for claim in left:
        by_condition[claim.condition][0].append(claim)
    for claim in right:
        by_condition[claim.condition][1].append(claim)
    for condition, (mine, theirs) in by_condition.items():
        pairs = sorted(
            ((similarity.measure(a.text, b.text), a, b) for a in mine for b in theirs),
            key=lambda pair: pair[0],
            reverse=True,
        )
        open_mine, open_theirs = {claim.sentence for claim in mine}, {claim.sentence for claim in theirs}
        for value, a, b in pairs:
            if value < similarity.same_meaning or a.sentence not in open_mine or b.sentence not in open_theirs:
                continue
            open_mine.discard(a.sentence)
            open_theirs.discard(b.sentence)
            verdict = Verdict.AGREED if _direction(a.text) == _direction(b.text) else Verdict.CONTRADICTED
            yield Match(verdict, condition, a.sentence, b.sentence, value)
        yield from (Match(Verdict.ONLY_STUDENT, condition, index, None) for index in open_mine)
        yield from (Match(Verdict.ONLY_TEACHER, condition, None, index) for index in open_theirs)


def _direction(text: str) -> tuple[bool, bool]:
    """Return whether a sentence argues against, and whether it negates an odd number of times."""
    negations = sum(word in _NEGATIONS for word in _WORD.findall(text.casefold()))
    return _AGAINST.search(text) is not None, negations % 2 == 1


def _content(text: str) -> set[str]:
    return {_stem(word) for word in _WORD.findall(text.casefold()) if word not in _EMPTY}


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 4 and not word.endswith("ss"):
            return word[: -len(ending)]
    return word


def _reading_order(match: Match) -> tuple[int, int]:
    last = 1 << 30
    teacher = last if match.teacher_sentence is None else match.teacher_sentence
    return teacher, last if match.student_sentence is None else match.student_sentence
