from __future__ import annotations

import math

import numpy as np
import pytest

from kdistill_core.evaluation.teachers.contexts import evaluation_contexts
from kdistill_core.evaluation.teachers.drafts import write_drafts
from kdistill_core.evaluation.teachers.measuring import Materials, QualitySettings, TeacherEvidence
from kdistill_core.evaluation.teachers.perplexity import DocumentLoss, PerplexityEvidence
from kdistill_core.evaluation.teachers.pubmedqa import ANSWERS, Answered, PubMedQAEvidence, Question, QuestionSet
from kdistill_core.evaluation.teachers.result import ComparedBy, TeacherQuality
from kdistill_core.evaluation.teachers.scoring import score_teachers
from kdistill_core.evaluation.teachers.summary import differs
from kdistill_core.evaluation.teachers.texts import SampledTexts, Text
from kdistill_core.serialization import from_json, to_json
from kdistill_core.teacher.gate import judge_draft
from tests.evaluation.teachers.conftest import ScriptedWriter, from_knowledge

SETTINGS = QualitySettings(resamples=400)
TEXTS = SampledTexts("here", (Text("a", "text"),), 1)


def losses(scale, tokens_sha256="same"):
    """Documents that are hard to different degrees; ``scale`` multiplies every loss."""
    rng = np.random.default_rng(0)
    documents = tuple(
        DocumentLoss("same id", tokens, scale * tokens * float(rng.uniform(2, 4)), 0, 0.0) for tokens in [50] * 30
    )
    return PerplexityEvidence(documents, tokens_sha256, 0)


def evidence(name, perplexities=None, pubmedqa=None, drafts=None):
    return TeacherEvidence(name, f"{name}-sha", "float32", perplexities or {}, pubmedqa, drafts)


def scores_of(quality, number):
    return {(s.score.metric, s.score.scope): s for s in quality.teachers[number].scores}


def test_perplexity_is_compared_by_a_paired_ratio(knowledge):
    """Every loss is 0.9 times the first's: the ratio is PPL^-0.1, and pairing leaves it little to vary."""
    both = [evidence("base", {"literature": losses(1)}), evidence("tuned", {"literature": losses(0.9)})]
    quality = score_teachers(both, Materials({"literature": TEXTS}, None, ()), SETTINGS, judge_draft, knowledge)
    base, tuned = (scores_of(quality, number)["perplexity", "literature"] for number in range(2))
    assert base.comparison is None
    assert tuned.comparison.by is ComparedBy.RATIO
    assert tuned.comparison.value == pytest.approx(base.score.value**-0.1)
    assert tuned.comparison.interval.low < tuned.comparison.value < tuned.comparison.interval.high
    unpaired = tuned.score.interval.low / base.score.interval.high, tuned.score.interval.high / base.score.interval.low
    assert tuned.comparison.interval.high - tuned.comparison.interval.low < (unpaired[1] - unpaired[0]) / 5
    assert differs(tuned.comparison)
    assert math.isclose(base.score.value, math.exp(sum(d.loss for d in losses(1).documents) / 1500))


def test_perplexities_over_other_tokens_are_not_compared_and_that_is_said(knowledge):
    both = [evidence("base", {"literature": losses(1)}), evidence("other", {"literature": losses(1, "other")})]
    quality = score_teachers(both, Materials({"literature": TEXTS}, None, ()), SETTINGS, judge_draft, knowledge)
    assert scores_of(quality, 1)["perplexity", "literature"].comparison is None
    assert quality.notes == ("other: other tokens than base on literature, so their perplexities cannot be compared.",)


def test_answers_are_compared_question_by_question(knowledge):
    questions = tuple(Question(str(number), "q", (), "yes") for number in range(10))

    def answers(right):
        said = [(0.0, -1.0, -1.0) if number < right else (-1.0, 0.0, -1.0) for number in range(10)]
        return PubMedQAEvidence(tuple(Answered(q.id, "yes", own) for q, own in zip(questions, said, strict=True)), 0)

    both = [evidence("base", pubmedqa=answers(4)), evidence("tuned", pubmedqa=answers(7))]
    materials = Materials({}, QuestionSet(questions, published=False, available=20, commonest=ANSWERS[0]), ())
    quality = score_teachers(both, materials, SETTINGS, judge_draft, knowledge)
    base, tuned = (scores_of(quality, number)["PubMedQA accuracy", "test questions"] for number in range(2))
    assert (base.score.value, tuned.score.value) == (0.4, 0.7)
    assert tuned.comparison.value == pytest.approx(0.3)
    assert (base.score.baselines[0].name, base.score.baselines[0].value) == ("always the commonest answer, yes", 1)
    assert len(quality.notes) == 2  # not the published questions, and not all of them


@pytest.fixture(scope="module")
def written(knowledge):
    """A teacher that writes nonsense beside one that says what the knowledge base says."""
    contexts = evaluation_contexts(28, 0, knowledge)
    writers = (
        ScriptedWriter(lambda context: f"Finding: {context.condition.value} says nothing."),
        ScriptedWriter(lambda context: from_knowledge(context, knowledge)),
    )
    both = [
        evidence(name, drafts=write_drafts(writer, contexts, 0))
        for name, writer in zip(("base", "tuned"), writers, strict=True)
    ]
    return score_teachers(both, Materials({}, None, contexts), SETTINGS, judge_draft, knowledge)


def test_what_was_written_is_compared_context_by_context(written):
    tuned = scores_of(written, 1)
    rate = tuned["gate pass rate", "all contexts"]
    assert (rate.score.value, rate.score.n, rate.comparison.value) == (1, 28, 1)
    assert differs(rate.comparison)
    distinct = tuned["distinct-2", "all contexts"]
    assert distinct.comparison.value == pytest.approx(
        distinct.score.value - scores_of(written, 0)["distinct-2", "all contexts"].score.value
    )
    assert distinct.score.interval.low < distinct.score.value < distinct.score.interval.high
    assert tuned["self-BLEU", "all contexts"].score.value > 0
    assert written.teachers[0].unsupported
    assert written.teachers[1].unsupported == ()


def test_the_result_is_json_and_back_without_loss(written):
    assert from_json(to_json(written), TeacherQuality) == written


def test_a_teacher_that_writes_nothing_has_scores_that_are_not_defined(knowledge):
    contexts = evaluation_contexts(14, 0, knowledge)
    silent = evidence("silent", drafts=write_drafts(ScriptedWriter(lambda _: ""), contexts, 0))
    quality = score_teachers([silent, silent], Materials({}, None, contexts), SETTINGS, judge_draft, knowledge)
    scores = scores_of(quality, 1)
    assert scores["gate pass rate", "all contexts"].score.value == 0
    for metric in ("distinct-1", "self-BLEU", "unsupported sentences"):
        assert scores[metric, "all contexts"].score.value is None
        assert scores[metric, "all contexts"].comparison is None
