"""Negation, uncertainty and supposition: what the words around a mention make of it.

After NegEx (Chapman et al., J Biomed Inform 2001) with the scopes that chest radiograph reports need: lists under one
negation, "cannot exclude", "resolved", "no longer", "no change", and the suppositions of a rationale ("A sharp angle
would speak against it."), which assert nothing.
"""

from __future__ import annotations

import itertools
import re

from kdistill_core.conditions import State


def _any(*phrases: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(phrases)})", re.IGNORECASE)


# A rationale supposes, advises and defines; none of this is said of the film at hand.
_SUPPOSITION = _any(
    r"would (?:speak|argue|weaken|favor|favour|point|support|suggest|make|be against|be expected)",
    r"look (?:for|at)\b",
    r"argues? (?:for|against|in favor)",
    r"speaks? (?:for|against)",
    r"(?:can|may) (?:also )?(?:look|mimic|be mistaken)",
    r"look like that",
    r"more sensitive",
    r"do so\.?$",
)
_DEFINITION_VERB = re.compile(
    r"\s+(?:means|refers to|describes|denotes|(?:is|are) (?:defined|an? (?!new|possib|concern|consider|"
    r"likely)|any |one |"
    r"when |lung |air |fluid |gas |the (?:presence|accumulation|collection|loss|collapse)))",
    re.IGNORECASE,
)
_ARTICLE = re.compile(r"^(?:an? |the term )?(?:lung |pulmonary |pleural )?$", re.IGNORECASE)

_CLAUSE_END = re.compile(
    r";|:|\b(?:but|however|although|though|except|apart from|aside from|other than|whereas|while|nevertheless|yet)\b|"
    r"\bwhich (?=(?:is|are|has|have|may|could)\b)",
    re.IGNORECASE,
)
_VERB = r"(?:is|are|was|were|has|have|had|remains?|appears?|persists?|demonstrates?|shows?)"
_AND_CLAUSE = re.compile(rf"(?:,\s*)?\band\s+(?=(?:[\w-]+\s+){{1,6}}?{_VERB}\b)", re.IGNORECASE)
_HAS_VERB = re.compile(rf"\b{_VERB}\b", re.IGNORECASE)

# "No change" says that something is there.
_PSEUDO_NEGATION = _any(
    r"no (?:(?:significant|interval|appreciable|gross|definite|substantial|evident|real|major) )*(?:change|"
    r"increase|decrease|"
    r"difference|progression|improvement|worsening)\w*",
    r"not (?:significantly |substantially |appreciably )?(?:changed|increased|decreased|progressed|improved|different)",
    r"not only",
    r"without (?:significant |interval |appreciable )*(?:change|progression|improvement)\w*",
    r"(?:near(?:ly)?|almost|partial(?:ly)?|incomplete(?:ly)?|mostly|largely) (?:complete(?:ly)? )?(?:resol|clear)\w+",
)
_NOT_EXCLUDED = _any(
    r"(?:can ?not|can't|could not|couldn't|not) (?:be )?(?:\w+ )?(?:exclude|rule|ruled out|excluded|"
    r"discount)\w*(?: out)?",
    r"(?:difficult|hard|unable|impossible) to (?:\w+ )?(?:exclude|rule out)",
    r"(?:to|not) (?:exclude|rule out)",
)
_PRE_NEGATION = _any(
    r"no\b(?!\.)",
    r"not\b",
    r"nor\b",
    r"neither\b",
    r"none\b",
    r"never\b",
    r"without\b",
    r"w/o\b",
    r"free (?:of|from)\b",
    r"clear of\b",
    r"negative for\b",
    r"absen(?:ce|t)\b",
    r"lack of\b",
    r"lacks?\b",
    r"den(?:y|ies)\b",
    r"(?:interval |complete )*(?:resolution|clearance|clearing) of\b",
    r"resolved\b",
    r"removal of\b",
    r"removed\b",
    r"rather than\b",
    r"instead of\b",
    r"exclude[sd]\b",
    r"rules? out\b",
)
# After these words a negated list is over and something is asserted.
_NEGATION_END = re.compile(
    r"(?:,|\band\b|\bwith\b)\s*(?:(?:and|then|also)\s+)?(?:there|the|an?|small|moderate|mild|mildly|"
    r"minimal|trace|tiny|stable|"
    r"unchanged|persistent|persisting|increased|increasing|decreased|worsening|improving|improved|bibasilar|chronic|"
    r"old|healed|status|post|prior|again|mild-to-moderate)\b|\bwith (?!evidence)|\bthat (?:is|are|may|could)\b|"
    r"\b(?:consistent|compatible) with\b",
    re.IGNORECASE,
)
_LIST_GOES_ON = re.compile(r"\b(?:or|nor)\b", re.IGNORECASE)
_POST_NEGATION = re.compile(
    r"^[^.;]{0,80}?\b(?:(?:is|are|was|were|has|have|had)(?: been)? (?:now |completely |fully |since |"
    r"all )*(?:not|no longer|absent|"
    r"resolved|cleared|ruled out|excluded|removed|gone|negative)|no longer|not (?:\w+ )?(?:seen|identified|"
    r"present|visuali[sz]ed|"
    r"evident|demonstrated|noted|appreciated|apparent|detected|visible|observed)|(?:completely |fully )?resolved|"
    r"(?:has|have) (?:been )?(?:completely |fully )?(?:resolved|cleared|removed))\b|^\s*:?\s*(?:no\b|"
    r"none\b|absent|negative)",
    re.IGNORECASE,
)
_UNCERTAIN_WORDS = _any(
    r"possib\w+",
    r"probabl\w+",
    r"may\b",
    r"might\b",
    r"could\b",
    r"likely\b",
    r"unlikely\b",
    r"suspect\w*",
    r"suspici\w+",
    r"concern\w*",
    r"worrisome\b",
    r"question\w*",
    r"equivocal\b",
    r"uncertain\b",
    r"potential\w*",
    r"presum\w+",
    r"suggest\w*",
    r"favor\w*",
    r"differential\b",
    r"consider\w*",
    r"perhaps\b",
    r"apparent(?!ly)\b",
    r"indeterminate\b",
    r"versus\b",
    r"vs\b",
    r"if\b",
    r"evaluat\w+ for\b",
    r"correlat\w+ (?:\w+ )?for\b",
    r"r/o\b",
)
_POST_UNCERTAIN = re.compile(
    r"^[^.;]{0,60}?\b(?:is|are|remains?|be) (?:\w+ )?(?:possible|possibly present|suspected|likely|"
    r"probable|questionable|favored|"
    r"uncertain|equivocal|a possibility|a consideration|considered|in question|of concern|not entirely clear|doubtful|"
    r"unlikely|less likely)\s*(?:$|[.,;)]|given|in\b|due|based|and|at\b|on\b|as\b|but)|"
    r"^[^.;]{0,60}?\b(?:may|might|could) (?:also )?be (?:present|considered|possible|there|"
    r"in the differential)|^\s*\?|^[^.;,]{0,40}\?\s*$",
    re.IGNORECASE,
)
_ALTERNATIVE_AFTER = re.compile(r"^\s*,?\s*(?:or|versus|vs\.?|and/or)\s", re.IGNORECASE)
_ALTERNATIVE_BEFORE = re.compile(r"\b(?:or|versus|vs\.?|and/or)\s+(?:[\w-]+\s+){0,2}$", re.IGNORECASE)
_HISTORY = re.compile(
    r"\b(?:history of|h/o|hx of|risk of|status post(?! \w+ repair)|treated)\s+(?:[\w-]+\s+){0,3}$", re.IGNORECASE
)
_WITHIN_NEGATION = re.compile(r"\b(?:not|no longer|without|nor)\b", re.IGNORECASE)
_WITHIN_UNCERTAIN = re.compile(
    r"\b(?:possibly|probably|likely|questionabl[ey]|perhaps|may|might|could|suspected)\b", re.IGNORECASE
)


def asserts_nothing(sentence: str) -> bool:
    """Tell whether a sentence only supposes, advises or argues in general."""
    return _SUPPOSITION.search(sentence) is not None


def defines(before: str, after: str) -> bool:
    """Tell whether a mention, with what stands before and after it, is the subject of a definition."""
    return _ARTICLE.match(before) is not None and _DEFINITION_VERB.match(after) is not None


def clauses(sentence: str) -> list[tuple[int, int]]:
    """Return the character ranges within which a negation or an uncertainty reaches."""
    cuts = [cut.start() for cut in _CLAUSE_END.finditer(sentence)]
    cuts += [cut.start() for cut in _AND_CLAUSE.finditer(sentence) if _HAS_VERB.search(sentence, 0, cut.start())]
    edges = [0, *sorted(set(cuts)), len(sentence)]
    return list(itertools.pairwise(edges))


def state_of_mention(before: str, mention: str, after: str, own: State) -> State:
    """Return the state of a mention within its clause; BLANK when it is only history.

    ``own`` is the state that the wording carries by itself ("heart size is normal" denies cardiomegaly).
    """
    if own is State.NEGATIVE:
        return own
    if _HISTORY.search(before):
        return State.BLANK
    if _NOT_EXCLUDED.search(before) or _NOT_EXCLUDED.search(after):
        return State.UNCERTAIN
    if _negated(before, mention, after):
        return State.NEGATIVE
    return State.UNCERTAIN if own is State.UNCERTAIN or _uncertain(before, mention, after) else State.POSITIVE


def _negated(before: str, mention: str, after: str) -> bool:
    if _WITHIN_NEGATION.search(mention):
        return True
    before = _PSEUDO_NEGATION.sub(_blank, before)
    after = _PSEUDO_NEGATION.sub(_blank, after)
    if _POST_NEGATION.search(after):
        return True
    cues = list(_PRE_NEGATION.finditer(before))
    return bool(cues) and not _ended(before[cues[-1].end() :], after)


def _uncertain(before: str, mention: str, after: str) -> bool:
    if _WITHIN_UNCERTAIN.search(mention) or _POST_UNCERTAIN.search(after):
        return True
    if _ALTERNATIVE_AFTER.search(after) or _ALTERNATIVE_BEFORE.search(before):
        return True
    cues = list(_UNCERTAIN_WORDS.finditer(before))
    return bool(cues) and not _NEGATION_END.search(before, cues[-1].end())


def _ended(between: str, after: str) -> bool:
    """Tell whether a list that a negation opened is over before the mention."""
    end = _NEGATION_END.search(between)
    if end is None:
        return False
    enumeration = end.group().startswith(",") and "there" not in end.group()
    return not (enumeration and (_LIST_GOES_ON.search(between, end.end()) or _LIST_GOES_ON.search(after)))


def _blank(match: re.Match[str]) -> str:
    return " " * len(match.group())
