"""Whether a written sentence says what a statement of the knowledge base says: no less, no more, no other way round.

A small language model is fluent but medically unreliable, so a sentence is grounded only when it has the content words
of a statement, in the same order but for one turn, with the same negations, limits, voice and cause.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from kdistill_core.records import SentenceRole

# Each number was set on the trial sentences of SmolLM2-135M: lower values let distorted statements pass.
MIN_KEPT = 0.9  # share of the statement's content words that must return
MAX_TURNS = 1  # places where the order of the statement may be broken
MAX_SKIPPED = 3  # content words of the statement that may be left out in one place
MAX_WORDS = 45

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
# Words that carry no fact of their own. Prepositions of place are not among them: beyond is not behind.
_EMPTY_WORDS = """
    a an the is are was were be been being that which whose who it its their them of and so because this these those
    such do does has have had as to also then there one can lie lies
"""
_EMPTY = frozenset(_EMPTY_WORDS.split())
_FRAME = {
    SentenceRole.DEFINITION: frozenset({"condition", "accumulation", "presence"}),
    SentenceRole.SIGN: frozenset({"sign", "look", "for", "show", "shows"}),
    SentenceRole.ARGUMENT: frozenset({"argues", "argue", "for"}),
    SentenceRole.AGAINST: frozenset({"what", "would", "speak", "against", "weaken", "argument"}),
}
_FRAME_PATTERN = {
    SentenceRole.DEFINITION: re.compile(r"\b(?:is|are)\b"),
    SentenceRole.SIGN: re.compile(r"\bshows? as\b"),
    SentenceRole.ARGUMENT: re.compile(r"\bargues? for\b"),
    SentenceRole.AGAINST: re.compile(r"\bwould (?:speak against|weaken)\b"),
}
_NEGATIONS = frozenset({"no", "not", "without", "never", "neither", "nor", "cannot", "none"})
# Words that limit a statement: without them it says more than is true.
_LIMITS = frozenset(
    {"most", "normally", "only", "often", "may", "usually", "first", "unusually", "same", "both", "always", "some"}
)
_PASSIVE = re.compile(r"\b(?:is|are|was|were|be|been) (?:\w+ly )?(\w+ed)\b")
_ARTICLES = frozenset({"a", "an", "the"})
_DETERMINERS = _ARTICLES | {"its", "their", "this", "these", "each", "both", "either", "that"}
_ENDINGS = ("ing", "ed", "es", "s", "e")


@dataclass(frozen=True)
class GateVerdict:
    """The outcome of one check of the gate; ``reason`` says what failed, empty when passed."""

    check: str
    passed: bool
    reason: str = ""


def judge_sentence(candidate: str, statement: str, role: SentenceRole) -> tuple[GateVerdict, ...]:
    """Return the verdict of every check on one written sentence against the ``statement`` it was written from."""
    checks = {
        "form": _form(candidate),
        "role": _role(candidate, role),
        "grounding": _grounding(candidate, statement, role),
        "order": _order(candidate, statement, role),
        "negation": _negation(candidate, statement),
        "voice": _voice(candidate, statement),
        "cause": _cause(candidate, statement),
        "grammar": _grammar(candidate, statement, role),
    }
    return tuple(GateVerdict(check, not reason, reason) for check, reason in checks.items())


def judge_against(candidate: str, statements: Sequence[str], role: SentenceRole) -> tuple[str, tuple[GateVerdict, ...]]:
    """Return the statement that ``candidate`` is nearest to, and the verdicts against that.

    Nearest is one that it passes for, else the one it shares most content words with. Raises ValueError for none.
    """
    judged = [(statement, judge_sentence(candidate, statement, role)) for statement in statements]
    written = set(_content(candidate, role))
    return max(
        judged,
        key=lambda pair: (
            passed(pair[1]),
            len(written & set(_content(pair[0], role))) / (1 + len(set(_content(pair[0], role)))),
        ),
    )


def passed(verdicts: Sequence[GateVerdict]) -> bool:
    """Tell whether every check passed."""
    return all(verdict.passed for verdict in verdicts)


def first_reason(verdicts: Sequence[GateVerdict]) -> str:
    """Return the first failed check and its reason, empty when all passed."""
    return next((f"{verdict.check}: {verdict.reason}" for verdict in verdicts if not verdict.passed), "")


def _role(candidate: str, role: SentenceRole) -> str:
    pattern = _FRAME_PATTERN.get(role)
    return "" if pattern is None or pattern.search(candidate.casefold()) else f"it does not read as a {role}"


def _form(candidate: str) -> str:
    words = _words(candidate)
    if not candidate.endswith(".") or candidate.count(".") != 1:
        return "it is not one whole sentence"
    if any(character.isdigit() for character in candidate):
        return "it holds a number that the knowledge does not"
    if not candidate[:1].isupper() or re.search(r"[^\w\s,.'-]", candidate):
        return "it does not look like a plain sentence"
    if len(words) > MAX_WORDS:
        return f"it has {len(words)} words"
    runs = Counter(zip(words, words[1:], words[2:], strict=False))
    if any(count > 1 for count in runs.values()):
        return "it repeats itself"
    return ""


def _grounding(candidate: str, statement: str, role: SentenceRole) -> str:
    known = set(_content(statement, role))
    written = _content(candidate, role)
    foreign = [word for word in written if word not in known]
    if foreign:
        return f"the statement does not say {', '.join(dict.fromkeys(foreign))}"
    surplus = Counter(written) - Counter(_content(statement, role))
    if surplus:
        return f"it says {', '.join(surplus)} more often than the statement"
    unlimited = (_LIMITS & set(_words(statement))) - set(_words(candidate))
    if unlimited:
        return f"it drops {', '.join(sorted(unlimited))}"
    kept = len(known & set(written)) / max(1, len(known))
    if kept < MIN_KEPT:
        lost = ", ".join(sorted(known - set(written)))
        return f"it leaves out {lost}"
    return ""


def _order(candidate: str, statement: str, role: SentenceRole) -> str:
    source = _content(statement, role)
    written = _content(candidate, role)
    turns = sum(not _follows(first, second, source) for first, second in itertools.pairwise(written))
    return f"it reorders the statement in {turns} places" if turns > MAX_TURNS else ""


def _follows(first: str, second: str, source: list[str]) -> bool:
    places = [index for index, word in enumerate(source) if word == first]
    return any(second in source[index + 1 : index + 2 + MAX_SKIPPED] for index in places)


def _negation(candidate: str, statement: str) -> str:
    written = sum(word in _NEGATIONS for word in _words(candidate))
    said = sum(word in _NEGATIONS for word in _words(statement))
    return f"it negates {written} times, the statement {said} times" if written != said else ""


def _voice(candidate: str, statement: str) -> str:
    """What fills is not what is filled: a passive that the statement does not have turns doer into done-to."""
    said = set(_words(statement))
    turned = [word for word in _PASSIVE.findall(candidate.casefold()) if word not in said]
    return f"it turns {turned[0]} into a passive" if turned else ""


def _cause(candidate: str, statement: str) -> str:
    written, said = candidate.casefold(), statement.casefold()
    if " because " not in written:
        return ""
    if " because " in said:
        head = _content(said.split(" because ", 1)[1], SentenceRole.OTHER)
        tail = _content(written.split(" because ", 1)[1], SentenceRole.OTHER)
        return "" if head[:1] == tail[:1] else "it names another cause than the statement"
    if ", so " not in said:
        return "it names a cause that the statement does not"
    effect, cause = written.split(" because ", 1)
    if "argue" not in effect or "argue" in cause:
        return "it takes the effect for the cause"
    reason = _content(said.split(", so ", 1)[0], SentenceRole.OTHER)
    given = _content(cause, SentenceRole.OTHER)
    if given[:1] != reason[:1] or not set(given) <= set(reason):
        return "it names another cause than the statement"
    return ""


def _grammar(candidate: str, statement: str, role: SentenceRole) -> str:
    """Articles are what a small model gets wrong most: one in front of a plural, none in front of a singular."""
    written, said = _words(candidate), _words(statement)
    if any(first == second for first, second in itertools.pairwise(written)):
        return "it doubles a word"
    if re.search(r"\b(?:a [aeio]|an [^aeiouh\W])", candidate.casefold()):
        return "its article does not fit"
    if role in (SentenceRole.SIGN, SentenceRole.AGAINST):
        opens = _after_opening(candidate) in _ARTICLES
        if opens != (_after_opening(statement) in _ARTICLES):
            return "its article does not fit"
    joined = _DETERMINERS | {"and", "or"}
    bare = {second for first, second in itertools.pairwise(written) if first not in joined}
    named = {second for first, second in itertools.pairwise(said) if first == "the"}
    if bare & named - _follow_no_article(said):
        return "it lacks an article"
    if re.search(r"(?<!,) that is,", candidate):
        return "it tears an aside from its comma"
    genitives = {second for first, second in itertools.pairwise(said) if first == "of"} - _DETERMINERS
    if any(first in {"is", "are"} and second in genitives for first, second in itertools.pairwise(written)):
        return "it lacks an of"
    last = re.search(r"that (?:is|are) (\w+)\.$", statement)
    if last and re.search(rf"(?<!is )(?<!are )\b{last[1]}\.$", candidate):
        return "it breaks off the clause at its end"
    return ""


def _follow_no_article(words: list[str]) -> set[str]:
    return {second for first, second in itertools.pairwise(words) if first not in _DETERMINERS}


def _after_opening(sentence: str) -> str:
    opening = r"^(?:on a supine film, )?(?:it shows as|what would [a-z ]+? is) "
    words = re.sub(opening, "", sentence.casefold()).split()
    return words[0] if words else ""


def _content(text: str, role: SentenceRole) -> list[str]:
    frame = _FRAME.get(role, frozenset())
    return [_stem(word) for word in _words(text) if word not in _EMPTY and word not in frame]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _stem(word: str) -> str:
    """Fold the forms of a word: bulges, bulging and bulged are one."""
    if word == "within":
        return "in"
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            return _single(word[: -len(ending)])
    return _single(word)


def _single(stem: str) -> str:
    """Fold a doubled last letter: runn is run."""
    return stem[:-1] if len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] in "nptgm" else stem
