"""What was measured of teachers becomes scores: all over the same cases and resamples, the first beside the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

import kdistill_core
from kdistill_core.evaluation.measures import Floats, Measure, compute, draw
from kdistill_core.evaluation.resampling import percentile_interval
from kdistill_core.evaluation.scores import Score
from kdistill_core.evaluation.teachers.distinctness import distinct_share, self_bleu, word_groups, words_of
from kdistill_core.evaluation.teachers.drafts import Judge, JudgedDraft, judge_drafts
from kdistill_core.evaluation.teachers.facts import COMPARED_BY_RATIO, DISTINCT_1, DISTINCT_2, DISTINCT_SENTENCES
from kdistill_core.evaluation.teachers.jackknife import jackknife_interval
from kdistill_core.evaluation.teachers.learning_curve import LearningCurve
from kdistill_core.evaluation.teachers.measuring import Materials, QualitySettings, TeacherEvidence
from kdistill_core.evaluation.teachers.perplexity import perplexities
from kdistill_core.evaluation.teachers.protocol import notes_of, protocol_of
from kdistill_core.evaluation.teachers.pubmedqa import MAJORITY, majority_measures, pubmedqa_measures
from kdistill_core.evaluation.teachers.result import (
    ComparedBy,
    Comparison,
    TeacherQuality,
    TeacherResult,
    TeacherScore,
)
from kdistill_core.evaluation.teachers.writing_quality import (
    ALL_CONTEXTS,
    coverage_measure,
    rejections,
    self_bleu_measure,
    sign_coverage,
    unsupported_sentences,
    writing_measures,
)
from kdistill_core.teacher.knowledge import KnowledgeBase

Scores = tuple[TeacherScore, ...]


def score_teachers(
    evidence: Sequence[TeacherEvidence],
    materials: Materials,
    settings: QualitySettings,
    judge: Judge,
    knowledge: KnowledgeBase,
    curves: Sequence[LearningCurve] = (),
) -> TeacherQuality:
    """Return every score of every teacher; the first is the one that the others are compared with.

    judge: the gate. It is asked now and not when the drafts were written, so that kept drafts are judged by the gate
    of today.
    """
    scores: list[list[TeacherScore]] = [[] for _ in evidence]
    judged = [() if teacher.drafts is None else judge_drafts(teacher.drafts, judge, knowledge) for teacher in evidence]
    families = [
        *(_perplexity_scores(evidence, kind, settings) for kind in materials.texts),
        *([] if materials.questions is None else [_question_scores(evidence, materials.questions.commonest, settings)]),
        *([_writing_scores(judged, knowledge, settings), _distinctness_scores(judged)] if materials.contexts else []),
    ]
    for family in families:
        for own, found in zip(scores, family, strict=True):
            own.extend(found)
    return TeacherQuality(
        teachers=tuple(
            TeacherResult(
                teacher.name,
                teacher.model_sha256,
                teacher.precision,
                tuple(own),
                None if teacher.drafts is None else teacher.drafts.writer,
                rejections(drafts),
                sign_coverage(drafts, knowledge),
                unsupported_sentences(drafts),
            )
            for teacher, own, drafts in zip(evidence, scores, judged, strict=True)
        ),
        protocol=protocol_of(materials, settings, knowledge),
        notes=notes_of(evidence, materials),
        curves=tuple(curves),
        resamples=settings.resamples,
        seed=settings.seed,
        software_version=kdistill_core.__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _perplexity_scores(evidence: Sequence[TeacherEvidence], kind: str, settings: QualitySettings) -> list[Scores]:
    own = [teacher.perplexities[kind] for teacher in evidence]
    first = own[0]
    scored: list[Scores] = []
    for number, losses in enumerate(own):
        groups = [document.id for document in losses.documents]
        measures = perplexities(losses, kind, settings.first_tokens)
        # Other tokens are another task: a perplexity over them says nothing beside the first's.
        same = losses.tokens_sha256 == first.tokens_sha256
        if not same:
            measures = tuple(
                replace(measure, score=replace(measure.score, note=f"{measure.score.note}; other tokens"))
                for measure in measures
            )
        reference = perplexities(first, kind, settings.first_tokens) if same and number else ()
        scored.append(_compared(measures, reference, _numbered(groups), settings))
    return scored


def _question_scores(evidence: Sequence[TeacherEvidence], commonest: str, settings: QualitySettings) -> list[Scores]:
    answered = [teacher.pubmedqa for teacher in evidence if teacher.pubmedqa is not None]
    groups = [answer.id for answer in answered[0].answers]
    measured = [pubmedqa_measures(own) for own in answered]
    baseline = {f"{MAJORITY}, {commonest}": majority_measures(answered[0], commonest)}
    return [
        _compared(own, measured[0] if number else [], groups, settings, baseline) for number, own in enumerate(measured)
    ]


def _writing_scores(
    judged: Sequence[Sequence[JudgedDraft]], knowledge: KnowledgeBase, settings: QualitySettings
) -> list[Scores]:
    contexts = [str(number) for number in range(len(judged[0]))]
    measured = [
        [*writing_measures(drafts), self_bleu_measure(self_bleu([draft.judged.text for draft in drafts]))]
        for drafts in judged
    ]
    covered = [coverage_measure(sign_coverage(drafts, knowledge)) for drafts in judged]
    signs = [str(number) for number in range(covered[0].score.n)]
    return [
        (
            *_compared(own, measured[0] if number else [], contexts, settings),
            *_compared([named], covered[:1] if number else [], signs, settings),
        )
        for number, (own, named) in enumerate(zip(measured, covered, strict=True))
    ]


def _compared(
    measures: Sequence[Measure],
    first: Sequence[Measure],
    groups: Sequence[str],
    settings: QualitySettings,
    baselines: dict[str, tuple[Measure, ...]] | None = None,
) -> Scores:
    """Return the scores of ``measures``, each beside the same one among ``first``, over the same draws."""
    scores = compute(measures, groups, settings.resamples, settings.seed, baselines)
    reference = {(other.score.metric, other.score.scope): other for other in first}
    pairs = [(measure, reference.get((measure.score.metric, measure.score.scope))) for measure in measures]
    both = [side for measure, other in pairs if other is not None for side in (measure, other)]
    drawn = iter(draw(both, groups, settings.resamples, settings.seed))
    return tuple(
        TeacherScore(score, None if other is None else _comparison(measure, other, next(drawn), next(drawn)))
        for score, (measure, other) in zip(scores, pairs, strict=True)
    )


def _comparison(measure: Measure, other: Measure, own: Floats, others: Floats) -> Comparison | None:
    by = ComparedBy.RATIO if measure.score.metric in COMPARED_BY_RATIO else ComparedBy.DIFFERENCE
    value = measure.value / other.value if by is ComparedBy.RATIO else measure.value - other.value
    if np.isnan(value):
        return None
    drawn = own / others if by is ComparedBy.RATIO else own - others
    n = measure.score.n
    return Comparison(by, value, percentile_interval(value, drawn, n, n))


@dataclass(frozen=True, eq=False)
class _Distinct:
    """A share of different things, of all texts and without each."""

    value: float
    without: Floats


def _distinctness_scores(judged: Sequence[Sequence[JudgedDraft]]) -> list[Scores]:
    shares = [_distinct_shares(drafts) for drafts in judged]
    scored = []
    for number, (own, drafts) in enumerate(zip(shares, judged, strict=True)):
        scores = []
        for metric, share in own.items():
            n, first = len(drafts), shares[0][metric]
            note = "falls as texts grow in number: compare only for the same contexts; interval by the jackknife"
            if np.isnan(share.value):
                scores.append(TeacherScore(Score(metric, ALL_CONTEXTS, None, n, note="nothing was written")))
                continue
            score = Score(
                metric, ALL_CONTEXTS, share.value, n, interval=jackknife_interval(share.value, share.without), note=note
            )
            difference = share.value - first.value
            comparison = (
                None
                if number == 0 or np.isnan(difference)
                else Comparison(
                    ComparedBy.DIFFERENCE, difference, jackknife_interval(difference, share.without - first.without)
                )
            )
            scores.append(TeacherScore(score, comparison))
        scored.append(tuple(scores))
    return scored


def _distinct_shares(drafts: Sequence[JudgedDraft]) -> dict[str, _Distinct]:
    texts = [draft.judged.text for draft in drafts]
    sentences = [[part.text.casefold() for part in draft.judged.parts] for draft in drafts]
    return {
        DISTINCT_1.name: _Distinct(*distinct_share([words_of(text) for text in texts])),
        DISTINCT_2.name: _Distinct(*distinct_share([word_groups(text, 2) for text in texts])),
        DISTINCT_SENTENCES.name: _Distinct(*distinct_share(sentences)),
    }


def _numbered(names: Sequence[str]) -> list[str]:
    """Return the names with their places, so that two documents of one id are still two."""
    return [f"{place}:{name}" for place, name in enumerate(names)]
