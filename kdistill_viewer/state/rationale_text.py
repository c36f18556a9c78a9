"""A rationale as the window lays it out: one paragraph a sentence, and the way between its text and the screen's."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

from kdistill_core.records import Comparison, Rationale, SaliencyTarget, Span, TargetKind, Verdict

_WORD = re.compile(r"\w+(?:['\N{RIGHT SINGLE QUOTATION MARK}./-]\w+)*")
# While the student still writes, its sentences are not known; a line break after each full stop comes close.
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")


@dataclass(frozen=True)
class Paragraph:
    """A paragraph on screen: the characters of the rationale in it, and which sentence that is, if it is one."""

    span: Span
    sentence: int | None


class ParagraphText:
    """The text of a rationale in paragraphs; positions on screen and offsets in the rationale, each from the other."""

    def __init__(self, rationale: Rationale) -> None:
        self.rationale = rationale
        self.paragraphs = _paragraphs(rationale)
        self._starts: list[int] = []
        position = 0
        for paragraph in self.paragraphs:
            self._starts.append(position)
            position += paragraph.span.end - paragraph.span.start + 1

    @property
    def display(self) -> str:
        """The paragraphs, one a line."""
        text = self.rationale.text
        return "\n".join(_one_line(text[p.span.start : p.span.end]) for p in self.paragraphs)

    def offset(self, position: int) -> int | None:
        """Return the offset in the rationale of a position on screen, None between two paragraphs."""
        if not self.paragraphs or position < 0:
            return None
        number = bisect_right(self._starts, position) - 1
        span = self.paragraphs[number].span
        offset = span.start + position - self._starts[number]
        return offset if offset < span.end else None

    def positions(self, span: Span) -> tuple[Span, ...]:
        """Return where a span of the rationale stands on screen: one piece for each paragraph it touches."""
        pieces = []
        for start, paragraph in zip(self._starts, self.paragraphs, strict=True):
            first = max(span.start, paragraph.span.start)
            last = min(span.end, paragraph.span.end)
            if first < last:
                shift = start - paragraph.span.start
                pieces.append(Span(first + shift, last + shift))
        return tuple(pieces)

    def word_at(self, offset: int) -> Span | None:
        """Return the word that holds an offset of the rationale, None for blanks and punctuation."""
        for match in _WORD.finditer(self.rationale.text):
            if match.start() <= offset < match.end():
                return Span(match.start(), match.end())
        return None

    def words(self, span: Span) -> tuple[Span, ...]:
        """Return the words inside a span of the rationale."""
        found = _WORD.finditer(self.rationale.text, span.start, span.end)
        return tuple(Span(match.start(), match.end()) for match in found)

    def sentence_at(self, offset: int) -> int | None:
        """Return the index of the sentence that holds an offset of the rationale."""
        for index, sentence in enumerate(self.rationale.sentences):
            if sentence.span.start <= offset < sentence.span.end:
                return index
        return None


def streamed_lines(text: str) -> str:
    """Return a rationale that is still being written with a line for each sentence, as far as one can tell."""
    return _SENTENCE_END.sub("\n", text)


def word_target(span: Span) -> SaliencyTarget:
    """Return the target that a click on a word of the student asks for."""
    return SaliencyTarget(TargetKind.WORD, span=span)


def sentence_target(rationale: Rationale, index: int) -> SaliencyTarget:
    """Return the target that a click on a sentence of the student asks for."""
    return SaliencyTarget(TargetKind.SENTENCE, span=rationale.sentences[index].span)


def teacher_target(rationale: Rationale, index: int) -> SaliencyTarget | None:
    """Return the target behind a sentence of the teacher, who saw no image: the sentence's condition, if it has one."""
    condition = rationale.sentences[index].condition
    return None if condition is None else SaliencyTarget(TargetKind.CONDITION, condition=condition)


@dataclass(frozen=True)
class SideVerdicts:
    """The comparison as one side shows it: by sentence the verdict, and the other side's matched sentences."""

    verdicts: dict[int, Verdict]
    matched: dict[int, tuple[int, ...]]


def student_side(comparison: Comparison) -> SideVerdicts:
    """Return the verdicts on the student's sentences."""
    return _side([(match.student_sentence, match.teacher_sentence, match.verdict) for match in comparison.matches])


def teacher_side(comparison: Comparison) -> SideVerdicts:
    """Return the verdicts on the teacher's sentences."""
    return _side([(match.teacher_sentence, match.student_sentence, match.verdict) for match in comparison.matches])


# A sentence in several matches shows the one that matters most to the reader.
_WEIGHT = (Verdict.CONTRADICTED, Verdict.AGREED, Verdict.ONLY_STUDENT, Verdict.ONLY_TEACHER)


def _side(matches: list[tuple[int | None, int | None, Verdict]]) -> SideVerdicts:
    verdicts: dict[int, Verdict] = {}
    matched: dict[int, tuple[int, ...]] = {}
    for own, other, verdict in matches:
        if own is None:
            continue
        if own not in verdicts or _WEIGHT.index(verdict) < _WEIGHT.index(verdicts[own]):
            verdicts[own] = verdict
        if other is not None:
            matched[own] = (*matched.get(own, ()), other)
    return SideVerdicts(verdicts, matched)


def _paragraphs(rationale: Rationale) -> tuple[Paragraph, ...]:
    """Cover all of the text: its sentences, and as paragraphs of their own whatever stands between them."""
    paragraphs: list[Paragraph] = []
    position = 0
    for index, sentence in enumerate(rationale.sentences):
        paragraphs.extend(_between(rationale.text, position, sentence.span.start))
        paragraphs.append(Paragraph(sentence.span, index))
        position = sentence.span.end
    paragraphs.extend(_between(rationale.text, position, len(rationale.text)))
    return tuple(paragraphs)


def _between(text: str, start: int, end: int) -> list[Paragraph]:
    piece = text[start:end]
    if not piece.strip():
        return []
    lead = len(piece) - len(piece.lstrip())
    return [Paragraph(Span(start + lead, start + len(piece.rstrip())), None)]


def _one_line(text: str) -> str:
    """Replace, one for one, line breaks by blanks and what Qt counts as two characters by a mark: positions keep."""
    text = re.sub(r"[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]", " ", text)
    return re.sub(r"[\U00010000-\U0010ffff]", "\N{REPLACEMENT CHARACTER}", text)
