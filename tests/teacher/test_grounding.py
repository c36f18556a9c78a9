"""Grounding, on sentences that a small language model really wrote: right ones pass, wrong ones do not."""

from __future__ import annotations

import pytest

from kdistill_core.records import SentenceRole
from kdistill_core.teacher.grounding import first_reason, judge_against, judge_sentence, passed

DEFINITION, SIGN, ARGUMENT, AGAINST = (
    SentenceRole.DEFINITION,
    SentenceRole.SIGN,
    SentenceRole.ARGUMENT,
    SentenceRole.AGAINST,
)


@pytest.mark.parametrize(
    ("role", "statement", "candidate"),
    [
        (
            SIGN,
            "It shows as a rounded white spot that is surrounded by lung.",
            "It shows as a rounded white spot surrounded by lung.",
        ),
        (
            ARGUMENT,
            "A lobe that loses volume pulls its fissure along, so a displaced fissure argues for atelectasis.",
            "A displaced fissure argues for atelectasis, because a lobe that loses volume pulls its fissure along.",
        ),
        (
            AGAINST,
            "A line that continues beyond the rib cage would speak against it, because skin folds do so.",
            "What would speak against it is a line that continues beyond the rib cage, because skin folds do so.",
        ),
        (
            DEFINITION,
            "A pleural effusion is fluid in the pleural space, between the lung and the chest wall.",
            "A pleural effusion is fluid in the pleural space between the lung and the chest wall.",
        ),
    ],
)
def test_a_faithful_rewording_passes(role: SentenceRole, statement: str, candidate: str) -> None:
    assert passed(judge_sentence(candidate, statement, role)), first_reason(judge_sentence(candidate, statement, role))


@pytest.mark.parametrize(
    ("check", "role", "statement", "candidate"),
    [
        (
            "grounding",
            ARGUMENT,
            "Fluid that fills the air spaces often does so around both hila, so this symmetric pattern argues for "
            "edema.",
            "This symmetric pattern argues for edema, because fluid that fills the air spaces often does so around "
            "both kidneys.",
        ),
        (
            "grounding",
            ARGUMENT,
            "The heart normally fills at most half of the inner width of the chest on a PA film, so a wider heart "
            "argues for enlargement.",
            "A wider heart argues for enlargement, because the heart is normally filled at half of the inner width of "
            "the chest on a PA film.",
        ),
        (
            "grounding",
            SIGN,
            "It shows as a tube in the midline that lies within the trachea or the esophagus.",
            "It shows as a tube that lies within the trachea or the esophagus.",
        ),
        (
            "negation",
            ARGUMENT,
            "Small parts of lung that are not expanded lie in flat plates, so such bands argue for atelectasis.",
            "Small parts of lung that are expanded lie in flat plates, so such bands argue for atelectasis.",
        ),
        (
            "cause",
            ARGUMENT,
            "Metal is far denser than bone, so a metallic box with wires argues for a device.",
            "Metal is far denser than bone, because a metallic box with wires argues for a device.",
        ),
        (
            "order",
            SIGN,
            "It shows as a diaphragm whose outline is hidden by a white area.",
            "It shows as a white area hidden by a diaphragm whose outline is.",
        ),
        (
            "form",
            ARGUMENT,
            "Both lungs normally hold similar amounts of air, so a difference in brightness argues for an opacity.",
            "A difference in brightness argues for an opacity, because a difference in brightness is normal.",
        ),
        (
            "form",
            SIGN,
            "It shows as a bone that is bent at a sharp angle.",
            "It shows as a bone bent at a sharp angle of 30 degrees.",
        ),
        (
            "grammar",
            SIGN,
            "It shows as straight white bands at the lung bases.",
            "It shows as a straight white bands at the lung bases.",
        ),
        (
            "voice",
            ARGUMENT,
            "A border vanishes where airless lung touches it, so a lost edge argues for consolidation next to it.",
            "A lost edge argues for consolidation next to it, because a border vanishes where airless lung is touched.",
        ),
        (
            "role",
            ARGUMENT,
            "Plaques calcify and lie on the parietal pleura, so dense patches along the diaphragm argue for plaque.",
            "Plaques calcify and lie on the parietal pleura, so dense patches lie along the diaphragm.",
        ),
    ],
)
def test_a_distorted_sentence_is_refused_and_the_reason_is_kept(
    check: str, role: SentenceRole, statement: str, candidate: str
) -> None:
    refused = {
        verdict.check: verdict.reason for verdict in judge_sentence(candidate, statement, role) if not verdict.passed
    }
    assert refused.get(check), refused


def test_the_nearest_statement_is_the_one_it_passes_for() -> None:
    statements = ("It shows as a thin white line.", "It shows as a dark zone without lung vessels.")
    nearest, verdicts = judge_against("It shows as a dark zone without vessels of the lung.", statements, SIGN)
    assert nearest == statements[1]
    assert passed(verdicts), first_reason(verdicts)
    nearest, verdicts = judge_against("It shows as a thin black line.", statements, SIGN)
    assert nearest == statements[0]
    assert first_reason(verdicts) == "grounding: the statement does not say black"
