"""Sections of a report: which heading stands where, what it means, and which section is to be read for what.

The spellings are those that occur in MIMIC-CXR (as counted by its section parser, MIT-LCP/mimic-cxr, ``txt/``), Open-i
and CheXpert Plus. Headings are known names: an organ with a colon ("Lungs: clear") stays part of its section. Nothing
here depends on upper case where the name alone is telling, so that a lower-cased report keeps its sections.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

from kdistill_core.records import Report, Span

FINDINGS = "findings"
IMPRESSION = "impression"
COMPARISON = "comparison"
INDICATION = "indication"
TECHNIQUE = "technique"
HISTORY = "history"
EXAMINATION = "examination"
RECOMMENDATIONS = "recommendations"
NOTIFICATION = "notification"
ADDENDUM = "addendum"
WET_READ = "wet read"
PREAMBLE = ""
LAST_PARAGRAPH = "last paragraph"

# What MIMIC-CXR labels a report from: the first of these that the report has.
LABELING_PRIORITY = (IMPRESSION, FINDINGS, LAST_PARAGRAPH, COMPARISON)

# Names that are headings wherever a colon follows them.
_NAMES: dict[str, tuple[str, ...]] = {
    FINDINGS: ("findings", "finding", "reference findings"),
    IMPRESSION: (
        "impression",
        "impressions",
        "conclusion",
        "conclusions",
        "findings and impression",
        "findings/impression",
        "findings / impression",
        "findings/ impression",
        "impression and findings",
        "impression/findings",
        "final impression",
        "opinion",
        "interpretation",
    ),
    COMPARISON: (
        "comparison",
        "comparisons",
        "comparison exam",
        "comparison exams",
        "comparison film",
        "comparison films",
        "comparison studies",
        "comparison study",
        "reference exam",
    ),
    INDICATION: (
        "indication",
        "indications",
        "clinical indication",
        "clinical indications",
        "reason for examination",
        "reason for exam",
        "reason for the exam",
        "reason for the examination",
        "reason for study",
        "reason for this study",
        "reason for this examination",
    ),
    TECHNIQUE: ("technique", "procedure comments"),
    HISTORY: (
        "history",
        "clinical history",
        "patient history",
        "medical history",
        "past medical history",
        "brief history",
        "clinical information",
        "clinical data",
        "admitting diagnosis",
        "pfi",
    ),
    EXAMINATION: ("examination", "type of examination", "type of exam"),
    RECOMMENDATIONS: ("recommendation", "recommendations", "recommendation(s)"),
    NOTIFICATION: ("notification", "notifications"),
    ADDENDUM: ("addendum", "addenda"),
    WET_READ: ("wet read", "wetread"),
    "end of impression": ("end of impression",),
}
# Names that are ordinary words too: headings at the start of a line or sentence only.
_WEAK_NAMES: dict[str, tuple[str, ...]] = {
    EXAMINATION: ("exam", "study", "procedure"),
    TECHNIQUE: ("views", "view"),
    INDICATION: ("reason",),
    PREAMBLE: ("final report", "report", "preliminary report"),
    "narrative": ("narrative",),
    "summary": ("summary",),
    "comment": ("comment", "comments"),
    "date": ("date",),
    "accession number": ("accession number",),
    "signature": ("dictated by", "signed by", "electronically signed by", "attending", "approved by"),
}
_SECTION_OF = {name: section for table in (_NAMES, _WEAK_NAMES) for section, names in table.items() for name in names}
_WEAK = frozenset(name for names in _WEAK_NAMES.values() for name in names)
_LONGEST_NAME = max(name.count(" ") for name in _SECTION_OF) + 1
# Stand alone on a line, without a colon.
_BARE = {
    name: section
    for name, section in _SECTION_OF.items()
    if name not in _WEAK or name in ("final report", "preliminary report", "narrative")
} | {"final addendum": ADDENDUM}

# "with the following findings:" announces a list, not a section.
_LIST_FOLLOWS = re.compile(
    r"\b(?:an?|the|this|these|those|following|above|below|other|additional|further|and|or|of|with|no|by|for|in|on|as|to|"
    r"significant|important|relevant|pertinent|key|main|major|incidental|acute|new|prior|previous|interval|associated|"
    r"such|all|any|multiple|several|remaining|my|our)$",
    re.IGNORECASE,
)
_WORD = re.compile(r"[A-Za-z/()]+")
_TAIL = 72  # characters before a colon in which a heading is looked for
_COLON = re.compile(r"[ \t]*:")
_BARE_LINE = re.compile(r"^[ \t]*([A-Za-z][A-Za-z/() ]{5,30}?)[ \t\r]*$", re.MULTILINE)
_WET_READ_VERSION = re.compile(r"^[ \t]*(WET READ VERSION #\d+)\b", re.MULTILINE | re.IGNORECASE)
_BARE_ADDENDUM = re.compile(r"^[ \t]*(ADDENDUM)(?=[ \t]+\S)(?![ \t]*:)", re.MULTILINE)
# A line that names the views and nothing else heads the findings: "CHEST, PA AND LATERAL:".
_VIEW_WORDS = (
    r"chest|portable|pa|ap|lateral|lat|frontal|upright|semi-?\s?upright|erect|semi-?erect|supine|single|one|two|three|"
    r"\d|views?|radiographs?|x-?rays?|films?|ribs?|bone windows?|and|of|the|with|at|hours|[ap]\.?m\b\.?|_+|"
    r"\d{1,2}[:.]?\d\d|left|right|bilateral"
)
_VIEW_TITLE = re.compile(rf"[ \t]*((?:(?:{_VIEW_WORDS})(?!\w)[ \t,()/&-]*)+)", re.IGNORECASE)
_VIEW_CORE = re.compile(r"\b(?:chest|portable|pa|ap|frontal|lateral|views?|ribs|bone window)\b", re.IGNORECASE)
# A short upper-case line that holds one of these words is that section, whatever else it says.
_TELLING = (IMPRESSION, FINDINGS, HISTORY, COMPARISON, ADDENDUM)
_UPPER_TITLE = re.compile(r"[ \t]*[A-Z,()/&-]{2,}(?:[ \t]+[A-Z,()/&-]+){0,3}")
_SENTENCE_ENDS = frozenset(".!?:;_)]\"'")
_TYPO_CUTOFF = 0.85  # difflib's ratio: one or two slips in a name of eight letters or more
_TYPO_OF = ("findings", "impression", "indication", "comparison", "comparisons", "conclusion", "technique")
_RULE_LINES = re.compile(r"\s*^[ \t]*[_=*-]{10,}[ \t\r]*$\s*", re.MULTILINE)
_PARAGRAPH = re.compile(r"\n[ \t\r]*\n\s*")


@dataclass(frozen=True)
class Section:
    """A section as it stands in a text: ``heading`` (with its colon, may be empty) directly followed by ``body``."""

    name: str
    heading: Span
    body: Span


@dataclass(frozen=True)
class SectionText:
    """A text taken from a report and the section it stands in."""

    section: str
    text: str


def split_sections(text: str) -> tuple[Section, ...]:
    """Return the sections of ``text`` in their order; headings and bodies together cover every character.

    What stands before the first heading, or under "FINAL REPORT", is named ``PREAMBLE``. Where a report has neither
    findings nor impression, what follows the first paragraph of its last section is named ``LAST_PARAGRAPH``, as in
    MIMIC-CXR, whose radiologists often went on below a comparison without a heading.
    """
    headings = list(_headings(text))
    sections = []
    if not headings or headings[0][1].start > 0:
        sections.append(Section(PREAMBLE, Span(0, 0), Span(0, headings[0][1].start if headings else len(text))))
    for place, (name, heading) in enumerate(headings):
        end = headings[place + 1][1].start if place + 1 < len(headings) else len(text)
        sections.append(Section(name, heading, Span(heading.end, end)))
    return (*sections[:-1], *_with_last_paragraph(text, sections))


def report_sections(text: str) -> dict[str, str]:
    """Return the text of each section by canonical name, without surrounding blanks.

    Where a heading occurs more than once its last section with a text wins, as in MIMIC-CXR. Sections without a text
    are left out. Text under no heading is named ``""``.
    """
    sections: dict[str, str] = {}
    for section in split_sections(text):
        body = _trimmed(text[section.body.start : section.body.end])
        if body:
            sections[section.name] = body
    return sections


def labeling_text(report: Report) -> SectionText:
    """Return what a report is labeled from: impression, else findings, last paragraph, comparison, else the preamble.

    This is the order of MIMIC-CXR's own labels. The text is empty where the report has none of these.
    """
    sections = _sections_of(report)
    name = next((name for name in LABELING_PRIORITY if sections.get(name)), PREAMBLE)
    return SectionText(name, sections.get(name, ""))


def generation_target(report: Report) -> SectionText:
    """Return what a report generator is to write: the findings; empty where the report has no such section."""
    return SectionText(FINDINGS, _sections_of(report).get(FINDINGS, ""))


def _sections_of(report: Report) -> dict[str, str]:
    return report.sections or report_sections(report.text)


def _with_last_paragraph(text: str, sections: list[Section]) -> tuple[Section, ...]:
    last = sections[-1]
    names = {section.name for section in sections if text[section.body.start : section.body.end].strip()}
    if names & {FINDINGS, IMPRESSION} or last.name == PREAMBLE:
        return (last,)
    begin = last.body.end - len(text[last.body.start : last.body.end].lstrip())
    gap = _PARAGRAPH.search(text, begin, last.body.end)
    if gap is None or gap.end() == last.body.end:
        return (last,)
    first = Section(last.name, last.heading, Span(last.body.start, gap.end()))
    return first, Section(LAST_PARAGRAPH, Span(gap.end(), gap.end()), Span(gap.end(), last.body.end))


def _trimmed(body: str) -> str:
    """Remove blanks and ruled lines at both ends; underscores within a line stand for removed words and stay."""
    while True:
        body = body.strip()
        rules = list(_RULE_LINES.finditer(body))
        if rules and rules[0].start() == 0:
            body = body[rules[0].end() :]
        elif rules and rules[-1].end() == len(body):
            body = body[: rules[-1].start()]
        else:
            return body


def _headings(text: str) -> Iterator[tuple[str, Span]]:
    found: list[tuple[str, Span]] = []
    for colon in _COLON.finditer(text):
        heading = _heading_before(text, colon.start(), colon.end())
        if heading is not None:
            found.append(heading)
    for line in _BARE_LINE.finditer(text):
        name = _BARE.get(" ".join(line[1].lower().split()))
        if name is not None and line[1][0].isupper():
            found.append((name, Span(*line.span(1))))
    found += [(WET_READ, Span(*line.span(1))) for line in _WET_READ_VERSION.finditer(text)]
    found += [(ADDENDUM, Span(*line.span(1))) for line in _BARE_ADDENDUM.finditer(text)]
    end = 0
    for section, span in sorted(found, key=lambda item: item[1].start):
        if span.start >= end:
            yield section, span
            end = span.end


def _heading_before(text: str, end: int, after_colon: int) -> tuple[str, Span] | None:
    """Return the section and span of the heading whose colon ends at ``after_colon``; None where it ends no heading."""
    line = text.rfind("\n", 0, end) + 1
    title = text[line:end]
    at_line_start = Span(end - len(title.lstrip()), after_colon)
    if _UPPER_TITLE.fullmatch(title):
        telling = next((section for section in _TELLING if section.upper() in title), None)
        if telling is not None and " ".join(title.lower().split()) not in _SECTION_OF:
            return telling, at_line_start
    paragraph = max((gap.end() for gap in _PARAGRAPH.finditer(text, max(0, end - _TAIL), end)), default=0)
    words = list(_WORD.finditer(text, max(paragraph, end - _TAIL), end))
    if not words or words[-1].end() != end:
        words = []
    for word in words[-_LONGEST_NAME:]:
        name = " ".join(text[word.start() : end].lower().split())
        section = _SECTION_OF.get(name)
        if section is not None and _may_begin(text, word.start(), weak=name in _WEAK):
            return section, Span(word.start(), after_colon)
    section = None if text[after_colon : after_colon + 1].isdigit() else _section_of_title(title)
    return None if section is None else (section, at_line_start)


def _may_begin(text: str, start: int, *, weak: bool) -> bool:
    """Tell whether a heading may begin here: at the start of a line or a sentence, or in mid-line if it is no list."""
    before = text[max(0, start - 40) : start]
    stripped = before.rstrip()
    if not stripped or stripped[-1] in _SENTENCE_ENDS or before[len(stripped) :].count("\n") > 1:
        return True
    if "\n" in before[len(stripped) :] and text[start].isupper():
        return True
    return not weak and _LIST_FOLLOWS.search(stripped) is None


@lru_cache(maxsize=4096)
def _section_of_title(line: str) -> str | None:
    """Return the section that a line headed by no known name stands for: a slip of the pen, a title of views."""
    meant = get_close_matches(" ".join(line.lower().split()), _TYPO_OF, n=1, cutoff=_TYPO_CUTOFF)
    if meant:
        return _SECTION_OF[meant[0]]
    return FINDINGS if _VIEW_TITLE.fullmatch(line) and _VIEW_CORE.search(line) else None
