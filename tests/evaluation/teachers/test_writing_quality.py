from __future__ import annotations

import pytest

from kdistill_core.conditions import Condition, State
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.teachers.contexts import evaluation_contexts
from kdistill_core.evaluation.teachers.drafts import DraftEvidence, WrittenDraft, judge_drafts, write_drafts
from kdistill_core.evaluation.teachers.writing_quality import (
    coverage_measure,
    rejections,
    sign_coverage,
    unsupported_sentences,
    writing_measures,
)
from kdistill_core.records import SentenceRole
from kdistill_core.teacher.context import RationaleContext
from kdistill_core.teacher.drafts import Draft
from kdistill_core.teacher.gate import GateVerdict, Judged, judge_draft
from kdistill_core.teacher.parts import Part
from tests.evaluation.teachers.conftest import ScriptedWriter, from_knowledge

EFFUSION = RationaleContext(Condition.PLEURAL_EFFUSION, State.POSITIVE)
EDEMA = RationaleContext(Condition.EDEMA, State.POSITIVE)
SIGN, SETTLES = SentenceRole.SIGN, SentenceRole.SETTLES


def judged_as(*drafts):
    """What a gate would say of drafts given as (context, [(role, statement)], failed check)."""
    evidence = DraftEvidence(ScriptedWriter(str).identity, tuple(WrittenDraft(context, "x") for context, *_ in drafts))
    answers = iter(drafts)

    def judge(_text, _context, _knowledge):
        _, parts, failed = next(answers)
        verdicts = (GateVerdict("form", True), GateVerdict(failed or "length", not failed, failed and "why"))
        said = tuple(Part(role, statement or "nonsense") for role, statement in parts)
        return Judged(said, verdicts, tuple(statement for _, statement in parts))

    return judge_drafts(evidence, judge, None)


def value(measures, metric, scope="all contexts"):
    return next(m.value for m in measures if (m.score.metric, m.score.scope) == (metric, scope))


def test_the_knowledge_bases_own_words_pass_the_real_gate_and_support_every_sentence(knowledge):
    contexts = evaluation_contexts(42, 0, knowledge)
    evidence = write_drafts(ScriptedWriter(lambda context: from_knowledge(context, knowledge)), contexts, 0)
    judged = judge_drafts(evidence, judge_draft, knowledge)
    measures = (*writing_measures(judged), coverage_measure(sign_coverage(judged, knowledge)))
    assert [draft.draft.context for draft in judged] == list(contexts)
    assert value(measures, "gate pass rate") == 1, rejections(judged)
    assert value(measures, "unsupported sentences") == 0
    assert unsupported_sentences(judged) == ()
    # One sign of each condition was named, the first that fits.
    assert all(sum(map(bool, own.named.values())) >= 1 for own in sign_coverage(judged, knowledge))


def test_nonsense_passes_nowhere_and_supports_nothing(knowledge):
    contexts = evaluation_contexts(14, 0, knowledge)
    evidence = write_drafts(ScriptedWriter(lambda _: "The moon is made of cheese."), contexts, 0)
    judged = judge_drafts(evidence, judge_draft, knowledge)
    measures = (*writing_measures(judged), coverage_measure(sign_coverage(judged, knowledge)))
    assert value(measures, "gate pass rate") == 0
    assert value(measures, "unsupported sentences") == 1
    assert value(measures, "signs named") == 0
    assert {sentence.reason for sentence in unsupported_sentences(judged)} == {"it is no part of a rationale"}


def test_rates_of_an_example_worked_by_hand(knowledge):
    first, second, *_ = (sign.text for sign in knowledge[Condition.PLEURAL_EFFUSION].signs)
    judged = judged_as(
        (EFFUSION, [(SIGN, first), (SETTLES, "")], "labeler"),
        (EFFUSION, [(SIGN, second)], ""),
        (EFFUSION, [(SIGN, first)], ""),
        (EDEMA, [(SIGN, "")], "labeler"),
        (EDEMA, [], "parts"),
    )
    measures = (*writing_measures(judged), coverage_measure(sign_coverage(judged, knowledge)))
    assert value(measures, "gate pass rate") == 2 / 5
    assert value(measures, "gate pass rate", "Pleural Effusion") == 2 / 3
    assert value(measures, "gate pass rate", "Edema") == 0
    assert value(measures, "rejected first by", "labeler") == 2 / 5
    assert value(measures, "rejected first by", "parts") == 1 / 5
    assert value(measures, "unsupported sentences") == 2 / 5
    signs = len(knowledge[Condition.PLEURAL_EFFUSION].signs) + len(knowledge[Condition.EDEMA].signs)
    assert value(measures, "signs named") == 2 / signs
    assert [(found.check, found.count) for found in rejections(judged)] == [("labeler", 2), ("parts", 1)]
    effusion = sign_coverage(judged, knowledge)[1]
    assert (effusion.condition, effusion.asked) == (Condition.PLEURAL_EFFUSION, 3)
    assert effusion.named[first] == 2
    assert effusion.named[second] == 1


def test_a_sign_of_another_condition_is_not_counted(knowledge):
    foreign = knowledge[Condition.EDEMA].signs[0].text
    measures = [coverage_measure(sign_coverage(judged_as((EFFUSION, [(SIGN, foreign)], "")), knowledge))]
    assert value(measures, "signs named") == 0


def test_a_draft_that_was_not_written_is_refused_for_that(knowledge):
    class Failing(ScriptedWriter):
        def write(self, requests):
            for request in requests:
                yield Draft(request, "", "the server timed out")

    judged = judge_drafts(write_drafts(Failing(str), (EFFUSION,), 0), judge_draft, knowledge)
    assert value((*writing_measures(judged), coverage_measure(sign_coverage(judged, knowledge))), "gate pass rate") == 0
    assert [(found.check, found.example) for found in rejections(judged)] == [("writing", "the server timed out")]


def test_a_writer_that_leaves_contexts_out_is_an_error():
    class Lazy(ScriptedWriter):
        def write(self, requests):
            yield from super().write(requests[1:])

    with pytest.raises(EvaluationError, match="nothing for 1 of 2"):
        write_drafts(Lazy(lambda _: "x"), (EFFUSION, EDEMA), 0)
