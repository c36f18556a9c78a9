"""The words around a mention that deny it, doubt it or put it in the past.

After NegEx (Chapman et al., J Biomed Inform 2001) and the uncertainty rules of CheXpert's labeler (Irvin et al., AAAI
2019; stanfordmlgroup/chexpert-labeler, ``patterns/``). As there, "likely" and "consistent with" assert, while
"possible", "probable", "suspected", "may", "favored", "concern for" and "A versus B" leave open.

Unlike there, "A or B" and "A and/or B" say that both are present where nothing else denies or doubts them: the people
who coded Open-i's reports read them so in 38 of the 42 places where nothing but such an alternative decides, on the
half that these rules were written on (docs/labeler.md). The reason of such a mention is ``alternative``, so that
whoever wants CheXpert's reading can tell it.
Patterns are matched against lower-case text with single blanks.
"""

from __future__ import annotations

import re


def _any(*phrases: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(phrases)})")


# --- Sentences that assert nothing: a rationale supposes, advises and defines -----------------------------------------
SUPPOSITION = _any(
    r"would (?:speak|argue|weaken|favor|favour|point|support|suggest|make|be against|be expected)",
    r"look (?:for|at)\b",
    r"\bit shows as\b",
    r"argues? (?:for|against|in favor)",
    r"speaks? (?:for|against)",
    r"(?:can|may) (?:also )?(?:look|mimic|be mistaken)",
    r"look like that",
    r"more sensitive",
    r"do so\.?$",
)
DEFINITION_VERB = re.compile(
    r"\s+(?:means|refers to|describes|denotes|(?:is|are) (?:defined|an? (?!new|possib|concern|consider|likely)|any |"
    r"one |when |lung |air |fluid |gas |the (?:presence|accumulation|collection|loss|collapse)))"
)
ARTICLE_ALONE = re.compile(r"(?:an? |the term )?(?:lung |pulmonary |pleural )?")

# --- Clauses: no cue reaches across these -----------------------------------------------------------------------------
_VERB = r"(?:is|are|was|were|has|have|had|remains?|appears?|persists?|demonstrates?|shows?)"
CLAUSE_END = re.compile(
    r";|:|\b(?:but|however|although|though|except|apart from|aside from|other than|whereas|while|nevertheless|yet)\b|"
    r"\bwhich (?=(?:is|are|has|have|may|could)\b)"
)
AND_CLAUSE = re.compile(rf"(?:,\s*)?\band\s+(?=(?:[\w-]+\s+){{1,6}}?{_VERB}\b)")
VERB = re.compile(rf"\b{_VERB}\b")

# --- Negation ---------------------------------------------------------------------------------------------------------
# These look like negations, but say that something is there or might be.
PSEUDO_NEGATION = _any(
    r"no (?:(?:significant|interval|appreciable|gross|definite|substantial|evident|real|major) )*(?:change|increase|"
    r"decrease|difference|progression|improvement|worsening)\w*",
    r"not (?:significantly |substantially |appreciably )?(?:changed|increased|decreased|progressed|improved|different)",
    r"not only",
    r"with(?: or |/)without",
    r"without (?:significant |interval |appreciable )*(?:change|progression|improvement)\w*",
    r"(?:near(?:ly)?|almost|partial(?:ly)?|incomplete(?:ly)?|mostly|largely) (?:complete(?:ly)? )?(?:resol|clear)\w+",
    # "to document resolution", "until clearing": a recommendation, not an observation.
    r"(?:to (?:\w+ )?(?:document|ensure|confirm|assess|assure|evaluate|demonstrate|verify)|until) (?:\w+ ){0,2}"
    r"(?:resol|clear)\w+",
)
# What hints at one of them; a sentence without needs no second look.
PSEUDO_STEM = re.compile(r"no |not |without|resol|clear")
# A negated exclusion leaves open what a negation would deny.
NOT_EXCLUDED = _any(
    r"(?:can ?not|can't|could not|couldn't|not) (?:be )?(?:\w+ )?(?:exclude|rule|ruled out|excluded|discount)\w*"
    r"(?: out)?",
    r"(?:difficult|hard|unable|impossible) to (?:\w+ )?(?:exclude|rule out)",
    r"(?:to|not) (?:exclude|rule out)",
)
NEGATION_BEFORE = _any(
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
NEGATION_AFTER = re.compile(
    r"[^.;]{0,80}?\b(?:(?:is|are|was|were|has|have|had)(?: been)? (?:now |completely |fully |since |all )*(?:not|"
    r"no longer|absent|resolved|cleared|ruled out|excluded|removed|gone|negative)|no longer|not (?:\w+ )?(?:seen|"
    r"identified|present|visuali[sz]ed|evident|demonstrated|noted|appreciated|apparent|detected|visible|observed)|"
    r"(?:completely |fully )?resolved|(?:has|have) (?:been )?(?:completely |fully )?(?:resolved|cleared|removed))\b|"
    r"\s*:?\s*(?:no\b|none\b|absent|negative)"
)
NEGATION_WITHIN = re.compile(r"\b(?:not|no longer|without|nor)\b")
# An article or a size after a comma, "and" or "with" begins a new assertion: the list before it is over.
_NEW_ASSERTION = (
    r"(?:,|\band\b|\bwith\b)\s*(?:(?:and|then|also)\s+)?(?:there|the|an?|small|moderate|mild|mildly|minimal|trace|tiny|"
    r"stable|unchanged|persistent|persisting|increased|increasing|decreased|worsening|improving|improved|bibasilar|"
    r"chronic|old|healed|status|post|prior|again|mild-to-moderate)\b"
)
# "May be compatible with mild edema" goes on.
HEDGE_END = re.compile(rf"(?<!compatible )(?<!consistent )(?<!related ){_NEW_ASSERTION}")
NEGATION_END = re.compile(
    rf"{_NEW_ASSERTION}|\bwith (?!evidence)|\bthat (?:is|are|may|could)\b|\b(?:consistent|compatible) with\b"
)
LIST_GOES_ON = re.compile(r"\b(?:or|nor)\b")

# --- Doubt ------------------------------------------------------------------------------------------------------------
HEDGE_BEFORE = _any(
    r"possib\w+",
    r"probabl\w+",
    r"may\b",
    r"might\b",
    r"could\b",
    r"unlikely\b",
    r"less likely\b",
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
    r"consider(?:ed|ations?)?\b",
    r"perhaps\b",
    r"maybe\b",
    r"apparent(?!ly)\b",
    r"indeterminate\b",
    r"if\b",
    r"evaluat\w+ for\b",
    r"correlat\w+ (?:\w+ )?for\b",
    r"r/o\b",
)
HEDGE_AFTER = re.compile(
    r"[^.;]{0,60}?\b(?:is|are|remains?|be) (?:\w+ )?(?:possible|possibly present|suspected|probable|questionable|"
    r"favored|uncertain|equivocal|a possibility|a consideration|considered|in question|of concern|not entirely clear|"
    r"doubtful|unlikely|less likely)\s*(?:$|[.,;)]|given|in\b|due|based|and|at\b|on\b|as\b|but)|"
    r"[^.;]{0,60}?\b(?:may|might|could) (?:also )?(?:be (?:present|seen|"
    r"considered|possible|there|in the differential)|have this appearance)|"
    r"\s*\?|[^.;,]{0,40}\?\s*$"
)
HEDGE_WITHIN = re.compile(r"\b(?:possibly|probably|questionabl[ey]|perhaps|may|might|could|suspected)\b")
# "Left or right" and "one or two" are no alternatives of findings.
_OTHER = r"\s+(?!left\b|right\b|both\b|more\b|less\b|two\b|three\b|greater\b)"
_LIST_BEFORE_IT = r"(?:, (?:[\w-]+ ){0,2}[\w-]+){0,2}\s*,?\s*"
_WORDS_AFTER_IT = r"(?:(?!with\b|and\b|but\b)[\w-]+\s+){0,3}$"
_VERSUS, _OR = r"(?:versus|vs\.?)", r"(?:or|and/or)"
# "A versus B" leaves open which.
VERSUS_AFTER = re.compile(rf"{_LIST_BEFORE_IT}{_VERSUS}{_OTHER}")
VERSUS_BEFORE = re.compile(rf"\b{_VERSUS}{_OTHER}{_WORDS_AFTER_IT}")
# "A or B", "A, B and/or C".
OR_AFTER = re.compile(rf"{_LIST_BEFORE_IT}{_OR}{_OTHER}")
OR_BEFORE = re.compile(rf"\b{_OR}{_OTHER}{_WORDS_AFTER_IT}")

# --- The past ---------------------------------------------------------------------------------------------------------
# What stays in the body after an operation (a stent, a valve) is a device and said without "repair".
HISTORY_BEFORE = re.compile(
    r"\b(?:history of|h/o|hx of|risk of|status post(?! \w+ repair)|treated)\s+(?:[\w-]+\s+){0,3}$"
)
