from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score

from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.measures import compute
from kdistill_core.evaluation.teachers.pubmedqa import (
    ANSWERS,
    PROMPT,
    Answered,
    PubMedQAEvidence,
    Question,
    majority_measures,
    measure_pubmedqa,
    pubmedqa_measures,
    read_test_questions,
)

QUESTION = Question("1", "Does it help?", ("It was tried.", "Some got well."), "yes")


def answered(truths, answers):
    likely = {name: tuple(0.0 if other == name else -1.0 for other in ANSWERS) for name in ANSWERS}
    return PubMedQAEvidence(
        tuple(
            Answered(str(n), truth, likely[said]) for n, (truth, said) in enumerate(zip(truths, answers, strict=True))
        ),
        0,
    )


def write_questions(path, decisions):
    entries = {
        str(number): {"QUESTION": "q?", "CONTEXTS": ["c"], "final_decision": decision}
        for number, decision in enumerate(decisions)
    }
    path.write_text(json.dumps(entries))
    return path


@pytest.mark.real_data
def test_the_test_half_is_the_published_one_in_the_published_order(shared_data):
    """Against data/test_ground_truth.json of github.com/pubmedqa/pubmedqa: its places and its counts of each answer."""
    found = read_test_questions(shared_data / "literature" / "pubmedqa_ori_pqal.json")
    ids = [question.id for question in found.questions]
    assert ids[:6] == ["12377809", "26163474", "19100463", "18537964", "12913878", "12765819"]
    assert ids[273:279] == ["24996865", "18928979", "25699562", "24577079", "24669960", "15502995"]
    assert ids[444:448] == ["28196511", "18284441", "18802997", "17621202"]
    assert ids[-4:] == ["16735905", "19694846", "25007420", "26134053"]
    truths = [question.truth for question in found.questions]
    assert [truths.count(answer) for answer in ANSWERS] == [276, 169, 55]
    assert found.published
    assert found.commonest == "yes"


def test_each_answer_is_halved_and_other_questions_are_not_called_published(tmp_path):
    found = read_test_questions(write_questions(tmp_path / "q.json", ["yes"] * 6 + ["no"] * 4 + ["maybe"] * 2))
    truths = [question.truth for question in found.questions]
    assert [truths.count(answer) for answer in ANSWERS] == [3, 2, 1]
    assert not found.published


def test_uneven_halves_are_evened_by_one_question(tmp_path):
    found = read_test_questions(write_questions(tmp_path / "q.json", ["yes"] * 5 + ["no"] * 5))
    assert len(found.questions) == 5


def test_a_limit_takes_questions_of_every_answer(tmp_path):
    path = write_questions(tmp_path / "q.json", ["yes"] * 100 + ["no"] * 100)
    found = read_test_questions(path, 20)
    assert (len(found.questions), found.available) == (20, 100)
    assert {question.truth for question in found.questions} == {"yes", "no"}


def test_a_question_without_an_answer_is_refused_by_its_number(tmp_path):
    with pytest.raises(EvaluationError, match="question 1 has none of the answers"):
        read_test_questions(write_questions(tmp_path / "q.json", ["yes", "perhaps"]))


def test_the_likelihood_of_an_answer_is_that_of_its_tokens_after_the_prompt(teacher):
    """The tiny tokenizer knows bytes only, so that every answer has several tokens."""
    second = Question("2", "Is it so?", ("A word.",), "no")
    found = measure_pubmedqa(teacher, (QUESTION, second), batch_tokens=300)
    for question, own in zip((QUESTION, second), found.answers, strict=True):
        prompt = PROMPT.format(contexts=" ".join(question.contexts), question=question.question)
        start = teacher.tokenizer(prompt)["input_ids"]
        for answer, likelihood in zip(ANSWERS, own.log_likelihoods, strict=True):
            tokens = teacher.tokenizer(f" {answer}")["input_ids"]
            with torch.inference_mode():
                logits = teacher.model(input_ids=torch.tensor([start + tokens])).logits[0].log_softmax(-1)
            expected = sum(float(logits[len(start) + place - 1, token]) for place, token in enumerate(tokens))
            assert likelihood == pytest.approx(expected, abs=1e-4)
    assert found.shortened == 0


def test_contexts_too_long_lose_their_middle_and_are_counted(teacher, monkeypatch):
    long = Question("1", "Why?", ("first " + "middle " * 200 + "last",), "yes")
    seen = []
    encode = teacher.tokenizer.__call__
    monkeypatch.setattr(
        "kdistill_core.evaluation.teachers.pubmedqa.next_token_log_likelihoods",
        lambda _teacher, rows, *_: seen.extend(rows) or iter(()),
    )
    found = measure_pubmedqa(teacher, (long,), prompt_tokens=120)
    said = teacher.tokenizer.decode(min(seen, key=len))
    assert found.shortened == 1
    assert said.startswith("Abstract: first middle")
    assert said.endswith("middle last\nQuestion: Why?\nAnswer:")
    assert 110 < len(encode(said)["input_ids"]) <= 120


def test_accuracy_and_macro_f1_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    for names in (ANSWERS, ("yes", "no")):
        truths, answers = (rng.choice(names, size=60).tolist() for _ in range(2))
        accuracy, f1 = pubmedqa_measures(answered(truths, answers))
        assert accuracy.value == pytest.approx(accuracy_score(truths, answers))
        assert f1.value == pytest.approx(f1_score(truths, answers, average="macro"))


def test_the_commonest_answer_stands_beside_the_model():
    evidence = answered(["yes", "yes", "no", "maybe"], ["yes", "no", "no", "no"])
    groups = ["a", "b", "c", "d"]
    accuracy, f1 = compute(
        pubmedqa_measures(evidence), groups, 200, 0, {"always yes": majority_measures(evidence, "yes")}
    )
    assert accuracy.value == accuracy.baselines[0].value == 0.5
    assert f1.baselines[0].value == pytest.approx((2 / 3) / 3)
