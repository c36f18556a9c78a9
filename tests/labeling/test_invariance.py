"""What must not change a label: case, blanks, the order of sentences, sentences that say nothing of the 14."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from kdistill_core.conditions import Condition, State
from kdistill_core.labeling import Reason, explain_labels, label_report

# Each sentence stands for a way of saying it; together they name every condition but Pleural Other.
SENTENCES = (
    "Mild cardiomegaly is unchanged.",
    "The heart is normal in size.",
    "There is no evidence of pneumothorax, effusion or consolidation.",
    "A small left pleural effusion cannot be excluded.",
    "The right effusion has resolved.",
    "Streaky opacities may represent atelectasis versus pneumonia.",
    "Scarring or atelectasis is seen in the left base.",
    "Status post median sternotomy with intact wires.",
    "A right internal jugular catheter ends in the superior vena cava.",
    "Pulmonary edema has improved.",
    "No displaced rib fracture is identified.",
    "The mediastinum is widened.",
    "A nodule in the right upper lobe is suspicious for malignancy.",
    "The lungs are clear.",
    "Both costophrenic angles are sharp.",
)
FILLER = (
    "The patient is rotated.",
    "The trachea is midline.",
    "The study was compared by the resident on call.",
    "Degenerative changes of the spine are seen.",
    "Bowel gas is unremarkable.",
)
CHOSEN = st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=7)


def states(report: str) -> dict[Condition, State]:
    return {finding.condition: finding.state for finding in label_report(report)}


@given(CHOSEN, st.sampled_from([str.upper, str.lower, str.title, str.swapcase]))
def test_case_changes_nothing(sentences, change):
    report = " ".join(sentences)
    assert states(change(report)) == states(report)


@given(CHOSEN, st.lists(st.sampled_from([" ", "  ", "\t", "\n", "\r\n", " \n "]), min_size=200, max_size=200))
def test_blanks_and_single_line_breaks_change_nothing(sentences, blanks):
    report = " ".join(sentences)
    spread = iter(blanks)
    assert states(re.sub(" ", lambda _: next(spread), report)) == states(report)


@given(CHOSEN, st.randoms(use_true_random=False))
def test_the_order_of_sentences_changes_nothing(sentences, random):
    shuffled = random.sample(sentences, len(sentences))
    assert states(" ".join(shuffled)) == states(" ".join(sentences))


@settings(max_examples=60)
@given(CHOSEN, st.lists(st.tuples(st.integers(0, 7), st.sampled_from(FILLER)), max_size=4))
def test_harmless_filler_changes_nothing(sentences, filler):
    filled = list(sentences)
    for place, sentence in filler:
        filled.insert(min(place, len(filled)), sentence)
    assert states(" ".join(filled)) == states(" ".join(sentences))


@given(CHOSEN)
def test_numbering_the_sentences_changes_nothing(sentences):
    numbered = " ".join(f"{number}. {sentence}" for number, sentence in enumerate(sentences, start=1))
    assert states(numbered) == states(" ".join(sentences))


@given(CHOSEN)
def test_every_label_has_a_mention_that_decided_it_in_the_text(sentences):
    report = "\n".join(sentences)
    evidence = explain_labels(report)
    for condition, state in states(report).items():
        if state is State.BLANK or condition is Condition.NO_FINDING:
            continue
        deciding = [mention for mention in evidence if mention.condition is condition and mention.state is state]
        assert deciding
        for mention in deciding:
            assert mention.sentence.start <= mention.mention.start < mention.mention.end <= mention.sentence.end
            if mention.reason in {Reason.NEGATION, Reason.HEDGE, Reason.NOT_EXCLUDED, Reason.VERSUS}:
                assert mention.cue is not None
                assert report[mention.cue.start : mention.cue.end].strip()


def test_the_deciding_words_are_named():
    report = "No effusion on image 3. Edema may be seen. Scarring or atelectasis."
    assert [
        (
            report[mention.mention.start : mention.mention.end],
            mention.reason,
            mention.cue and report[mention.cue.start : mention.cue.end],
        )
        for mention in explain_labels(report)
        if mention.condition is not Condition.LUNG_OPACITY
    ] == [
        ("effusion", Reason.NEGATION, "No"),
        ("Edema", Reason.HEDGE, "may be seen"),
        ("atelectasis", Reason.ALTERNATIVE, "or"),
    ]
