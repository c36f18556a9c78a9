"""An explanation as a reader sees it: findings in words, each sentence with its mark and its counterpart.

The picture and the page show the same rows, so both take them from here.
"""

from __future__ import annotations

from dataclasses import dataclass

from kdistill_core.conditions import Condition, State
from kdistill_core.records import (
    Explanation,
    Finding,
    ImageSummary,
    Match,
    Provenance,
    Rationale,
    RationaleAuthor,
    Review,
    ReviewStatus,
    SaliencyMap,
    SaliencyTarget,
    SpacingSource,
    TargetKind,
    Verdict,
)

# A sentence may be matched more than once: what a reader must not miss comes first.
_PRECEDENCE = (Verdict.CONTRADICTED, Verdict.AGREED, Verdict.ONLY_STUDENT, Verdict.ONLY_TEACHER)

# The marks of the window, which tell a reader who does not see color as much.
MARKS: dict[Verdict | None, str] = {
    Verdict.AGREED: "=",
    Verdict.CONTRADICTED: "≠",
    Verdict.ONLY_STUDENT: "S",
    Verdict.ONLY_TEACHER: "T",
    None: " ",
}
MEANINGS: dict[Verdict, str] = {
    Verdict.AGREED: "both say so",
    Verdict.CONTRADICTED: "the other contradicts it",
    Verdict.ONLY_STUDENT: "only the student says so",
    Verdict.ONLY_TEACHER: "only the teacher says so",
}
ORIGINS: dict[RationaleAuthor, str] = {
    RationaleAuthor.STUDENT: "the student's own words",
    RationaleAuthor.TEACHER: "written now by a language model",
    RationaleAuthor.LIBRARY: "written earlier by a language model",
    RationaleAuthor.KNOWLEDGE: "from the knowledge base",
}
REVIEW_WORDS: dict[ReviewStatus, str] = {
    ReviewStatus.UNREVIEWED: "Not reviewed by a clinician",
    ReviewStatus.ACCEPTED: "Reviewed",
    ReviewStatus.EDITED: "Reviewed and edited",
    ReviewStatus.REJECTED: "Rejected",
}
# What a saliency method is called in the literature.
METHOD_NAMES: dict[str, str] = {
    "attention": "Condition query attention",
    "grad_cam": "Grad-CAM",
    "gradient_x_activation": "Gradient x activation",
    "integrated_gradients": "Integrated gradients",
}
STATE_WORDS: dict[State, str] = {
    State.POSITIVE: "present",
    State.NEGATIVE: "absent",
    State.UNCERTAIN: "uncertain",
    State.BLANK: "not assessed",
}


def state_word(finding: Finding) -> str:
    """Return what the student calls a finding, in one or two words."""
    return "implied" if finding.implied else STATE_WORDS[finding.state]


@dataclass(frozen=True)
class Passage:
    """A stretch of a rationale's text, with what the comparison says of it.

    sentence: its index in the rationale; None for text between sentences.
    partners: indexes of the other rationale's sentences that it was matched with.
    origin: where it comes from, said only where that differs from the rest of the rationale.
    review: what a clinician says of it, said only where that differs from sentence to sentence.
    """

    text: str
    sentence: int | None = None
    condition: Condition | None = None
    verdict: Verdict | None = None
    partners: tuple[int, ...] = ()
    origin: str = ""
    review: str = ""

    @property
    def mark(self) -> str:
        return MARKS[self.verdict]

    @property
    def about(self) -> str:
        """Condition, verdict in words, origin and review, as far as there are any."""
        meaning = MEANINGS[self.verdict] if self.verdict is not None else ""
        return " · ".join(part for part in (self.condition, meaning, self.note) if part)

    @property
    def note(self) -> str:
        """Origin and review, as far as they differ from the rest of the rationale."""
        return " · ".join(part for part in (self.origin, self.review) if part)


def student_passages(explanation: Explanation) -> tuple[Passage, ...]:
    """Return the student's text in passages that together hold all of it."""
    return _passages(explanation.student, [(m, m.student_sentence, m.teacher_sentence) for m in _matches(explanation)])


def teacher_passages(explanation: Explanation) -> tuple[Passage, ...]:
    """Return the teacher's text in passages that together hold all of it."""
    return _passages(explanation.teacher, [(m, m.teacher_sentence, m.student_sentence) for m in _matches(explanation)])


def _matches(explanation: Explanation) -> tuple[Match, ...]:
    return explanation.comparison.matches


def _passages(rationale: Rationale, matches: list[tuple[Match, int | None, int | None]]) -> tuple[Passage, ...]:
    passages: list[Passage] = []
    position = 0
    mixed = len(reviews_of(rationale)) > 1
    ordered = sorted(enumerate(rationale.sentences), key=lambda item: item[1].span.start)
    for index, sentence in ordered:
        passages.extend(_between(rationale.text[position : sentence.span.start]))
        own = [(match, partner) for match, this, partner in matches if this == index]
        verdicts = {match.verdict for match, _ in own}
        passages.append(
            Passage(
                text=rationale.text[sentence.span.start : sentence.span.end].strip(),
                sentence=index,
                condition=sentence.condition,
                verdict=next((verdict for verdict in _PRECEDENCE if verdict in verdicts), None),
                partners=tuple(sorted({partner for _, partner in own if partner is not None})),
                origin=ORIGINS[sentence.author] if sentence.author not in (None, rationale.author) else "",
                review=_within_line(sentence.review) if mixed and sentence.review is not None else "",
            )
        )
        position = max(position, sentence.span.end)
    passages.extend(_between(rationale.text[position:]))
    return tuple(passages)


def _between(text: str) -> list[Passage]:
    return [Passage(text=text.strip())] if text.strip() else []


def author_line(rationale: Rationale) -> str:
    """Return who wrote the rationale and from where it was taken."""
    name = model_line(rationale.provenance)
    match rationale.author:
        case RationaleAuthor.STUDENT:
            return f"Written by {name}" if name else "Written by the student model"
        case RationaleAuthor.TEACHER:
            return f"Written now by {name}" if name else "Written now by a language model"
        case RationaleAuthor.LIBRARY:
            return f"From the rationale library, written earlier by {name or 'a language model'}"
        case RationaleAuthor.KNOWLEDGE:
            return "From the knowledge base, not written by a language model"


def review_words(review: Review) -> str:
    """Return where a text stands with clinicians, such as ``Reviewed by A. Name, 2026-11-25``."""
    who = f" by {review.reviewer}" if review.reviewer else ""
    return f"{REVIEW_WORDS[review.status]}{who}" + (f", {review.date}" if review.date else "")


def reviews_of(rationale: Rationale) -> dict[Review, tuple[int, ...]]:
    """Return the different reviews of a rationale's sentences, each with the indexes of those sentences."""
    found: dict[Review, tuple[int, ...]] = {}
    for index, sentence in enumerate(rationale.sentences):
        if sentence.review is not None:
            found[sentence.review] = (*found.get(sentence.review, ()), index)
    return found


def review_line(rationale: Rationale) -> str:
    """Return where the teacher's rationale stands with clinicians, empty for the student's own words.

    Where sentences differ in that, it says of how many each review is; their passages say of which.
    """
    if rationale.author is RationaleAuthor.STUDENT:
        return ""
    reviews = reviews_of(rationale) or {Review(): ()}
    if len(reviews) == 1:
        return review_words(next(iter(reviews)))
    count = sum(map(len, reviews.values()))
    return "; ".join(
        f"{len(indexes)} of {count} sentences {_within_line(review)}" for review, indexes in reviews.items()
    )


def numbered_review_line(rationale: Rationale) -> str:
    """Return :func:`review_line`; where sentences differ, a line for each review with their numbers, from 1 on."""
    reviews = reviews_of(rationale)
    if len(reviews) < 2 or rationale.author is RationaleAuthor.STUDENT:
        return review_line(rationale)
    return "\n".join(f"{review_words(review)}: {numbers_line(indexes)}" for review, indexes in reviews.items())


def numbers_line(indexes: tuple[int, ...]) -> str:
    """Return the numbers of sentences, runs of them shortened: ``sentence 1``, ``sentences 1–5, 7``."""
    runs: list[list[int]] = []
    for index in sorted(indexes):
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    said = (f"{run[0] + 1}–{run[-1] + 1}" if len(run) > 1 else f"{run[0] + 1}" for run in runs)
    return f"{'sentence' if len(indexes) == 1 else 'sentences'} {', '.join(said)}"


def _within_line(review: Review) -> str:
    words = review_words(review)
    return words[0].lower() + words[1:]


def model_line(provenance: Provenance) -> str:
    """Return the model's name and version, or an empty text."""
    return " ".join(part for part in (provenance.model_name, provenance.model_version) if part)


def image_line(image: ImageSummary) -> str:
    """Return file name, kind, view, size and pixel spacing of the image; nothing about the patient."""
    spacing = image.spacing
    unit = {SpacingSource.CALIBRATED: "mm", SpacingSource.DETECTOR: "mm (detector)"}.get(spacing.source)
    parts = [
        image.source.path + (f", frame {image.source.frame + 1}" if image.source.frame else ""),
        " ".join(part for part in (image.modality, image.view_position) if part),
        f"{image.columns} × {image.rows} px",
        f"{spacing.column_mm:.3g} × {spacing.row_mm:.3g} {unit} a pixel"
        if unit and spacing.row_mm and spacing.column_mm
        else "pixel spacing unknown",
    ]
    return " · ".join(part for part in parts if part)


def probability_text(probability: float) -> str:
    """Return a probability with two digits; nothing is called certain or impossible by rounding."""
    if probability > 0.99:
        return "> 0.99"
    return "< 0.01" if probability < 0.01 else f"{probability:.2f}"


def target_line(target: SaliencyTarget, rationale: Rationale) -> str:
    """Return what a saliency map explains, in words."""
    if target.kind is TargetKind.CONDITION and target.condition is not None:
        return target.condition.value
    quoted = "" if target.span is None else rationale.text[target.span.start : target.span.end].strip()
    return f"{target.kind.value} “{quoted}”"


def method_line(saliency_map: SaliencyMap) -> str:
    """Return what the map's method is called in the literature, its own name where that is not known."""
    return METHOD_NAMES.get(saliency_map.method, saliency_map.method)


def said_of(saliency_map: SaliencyMap) -> str:
    """Return where a map is strongest, or its own note where there is something else to say of it."""
    if saliency_map.note:
        return saliency_map.note
    x, y = saliency_map.peak
    return f"strongest at column {x:.0f}, row {y:.0f}"


def by_probability(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return the findings with the positive ones first, each group by falling probability."""
    return tuple(
        sorted(findings, key=lambda f: (f.state is not State.POSITIVE, -(f.probability if f.probability else 0.0)))
    )
