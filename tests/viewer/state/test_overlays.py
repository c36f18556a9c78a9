"""Pinned and previewed overlays: what is asked of the engine, and which map is on screen."""

import pytest

from kdistill_core.conditions import Condition, State
from kdistill_core.engine.messages import Attribute, Explain, Failed, WorkerDied
from kdistill_core.records import Finding, ImageSource, SaliencyTarget, Span, TargetKind
from kdistill_viewer.state.app_state import AppState, Services
from kdistill_viewer.state.case import condition_target, top_target
from kdistill_viewer.state.engine_link import ModelChoice
from kdistill_viewer.state.rationale_text import word_target


@pytest.fixture
def state(engines, make_radiograph):
    engines.answers = False
    made = AppState(
        Services(engines.start, make_radiograph, lambda paths: iter(())), lambda call: call(), ModelChoice()
    )
    made.session.open(ImageSource("a.dcm"))
    assert made.background.join(5.0)
    yield made
    made.close()


@pytest.fixture
def explained(state, engines):
    engines.last.answer(engines.last.requests[0])
    engines.last.answer(engines.last.of(Explain)[0])
    return state


def answer_all(engine):
    for request in engine.of(Attribute):
        engine.answer(request)


def test_the_overlay_of_the_likeliest_present_finding_is_asked_for_unasked(explained, engines):
    (request,) = engines.last.of(Attribute)
    assert request.target == condition_target(Condition.PLEURAL_EFFUSION)
    assert request.explanation_id == engines.last.of(Explain)[0].id
    assert request.method == "condition attention"
    answer_all(engines.last)
    assert explained.overlays.shown.target == request.target


def test_a_preview_gives_way_to_the_pinned_map_without_asking_again(explained, engines):
    engine = engines.last
    answer_all(engine)
    explained.overlays.preview(word_target(Span(3, 8)))
    engine.answer(engine.of(Attribute)[-1])
    assert explained.overlays.shown.target == word_target(Span(3, 8))
    explained.overlays.preview(None)
    assert explained.overlays.shown.target == condition_target(Condition.PLEURAL_EFFUSION)
    assert len(engine.of(Attribute)) == 2


def test_a_target_that_is_no_longer_wanted_is_canceled_and_its_late_map_not_shown(explained, engines):
    engine = engines.last
    first = engine.of(Attribute)[-1]
    explained.overlays.pin(condition_target(Condition.CARDIOMEGALY))
    assert engine.canceled == [first.id]
    engine.answer(first)
    assert explained.overlays.shown is None
    engine.answer(engine.of(Attribute)[-1])
    assert explained.overlays.shown.target.condition is Condition.CARDIOMEGALY


def test_another_method_asks_for_another_map_and_coming_back_does_not(explained, engines):
    engine = engines.last
    answer_all(engine)
    assert explained.overlays.methods() == ("condition attention", "Grad-CAM")
    explained.overlays.choose_method("Grad-CAM")
    assert engine.of(Attribute)[-1].method == "Grad-CAM"
    engine.answer(engine.of(Attribute)[-1])
    explained.overlays.choose_method("condition attention")
    assert explained.overlays.shown.method == "condition attention"
    assert len(engine.of(Attribute)) == 2


def test_methods_are_those_of_the_kind_of_target(explained, engines):
    explained.overlays.pin(word_target(Span(0, 5)))
    assert engines.last.of(Attribute)[-1].method == "gradient x activation"


@pytest.mark.parametrize("ends", ["failed", "died"])
def test_after_a_failure_retry_asks_for_the_same_target(explained, engines, ends):
    engine, notices = engines.last, []
    explained.overlays.notice.connect(notices.append)
    request = engine.of(Attribute)[-1]
    engine.on_event(Failed(request.id, "Broke.") if ends == "failed" else WorkerDied("", "Broke.", "", (request.id,)))
    assert not explained.overlays.waiting
    notices[0].retry()
    assert engine.of(Attribute)[-1].target == request.target


def test_taking_the_overlay_away_leaves_none(explained, engines):
    answer_all(engines.last)
    explained.overlays.pin(None)
    assert explained.overlays.shown is None


def test_an_overlay_is_not_asked_for_before_there_is_an_explanation(state, engines):
    state.overlays.pin(condition_target(Condition.EDEMA))
    assert not engines.last.of(Attribute)
    engines.last.answer(engines.last.of(Explain)[0])
    assert engines.last.of(Attribute)[-1].target.condition is Condition.EDEMA


def finding(condition, state, probability):
    return Finding(condition, state, probability)


@pytest.mark.parametrize(
    ("findings", "wanted"),
    [
        (
            [
                finding(Condition.EDEMA, State.POSITIVE, 0.6),
                finding(Condition.FRACTURE, State.UNCERTAIN, 0.9),
                finding(Condition.NO_FINDING, State.POSITIVE, 0.99),
            ],
            Condition.EDEMA,
        ),
        (
            [finding(Condition.EDEMA, State.NEGATIVE, 0.4), finding(Condition.FRACTURE, State.UNCERTAIN, 0.3)],
            Condition.FRACTURE,
        ),
        (
            [finding(Condition.EDEMA, State.NEGATIVE, 0.4), finding(Condition.NO_FINDING, State.POSITIVE, 0.7)],
            Condition.NO_FINDING,
        ),
    ],
)
def test_top_finding_is_the_likeliest_present_else_uncertain_else_no_finding(findings, wanted):
    assert top_target(tuple(findings)) == SaliencyTarget(TargetKind.CONDITION, condition=wanted)


def test_without_anything_present_or_uncertain_no_overlay_is_asked_for():
    assert top_target((finding(Condition.EDEMA, State.NEGATIVE, 0.4),)) is None
