from __future__ import annotations

import math

import pytest
import torch

from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.teachers.likelihood import next_token_log_likelihoods, token_losses
from kdistill_core.evaluation.teachers.perplexity import LATER, measure_perplexity, perplexities
from kdistill_core.evaluation.teachers.texts import SampledTexts, Text

ROWS = [[5, 6, 7], [9] * 40, [1, 2], list(range(1, 100)), [3, 30, 200, 4, 4, 17]]


def sampled(*texts):
    return SampledTexts("here", tuple(Text(str(number), text) for number, text in enumerate(texts)), len(texts))


def alone(teacher, row):
    """The loss of a row as transformers itself computes it, summed."""
    tokens = torch.tensor([row])
    with torch.inference_mode():
        return float(teacher.model(input_ids=tokens, labels=tokens).loss) * (len(row) - 1)


@pytest.mark.parametrize("batch_tokens", [1, 64, 10_000])
def test_losses_of_a_batch_are_those_of_each_row_alone(teacher, batch_tokens):
    found = token_losses(teacher, ROWS, batch_tokens)
    assert [len(own) for own in found] == [len(row) - 1 for row in ROWS]
    assert [own.sum() for own in found] == pytest.approx([alone(teacher, row) for row in ROWS], abs=1e-4)


def test_the_likelihoods_after_a_row_are_those_of_the_row_alone(teacher):
    found = dict(next_token_log_likelihoods(teacher, ROWS, 128))
    for place, row in enumerate(ROWS):
        with torch.inference_mode():
            logits = teacher.model(input_ids=torch.tensor([row])).logits[0, -1]
        assert found[place] == pytest.approx(torch.log_softmax(logits, -1).numpy(), abs=1e-4)


def test_every_row_is_counted_once(teacher):
    counted = []
    token_losses(teacher, ROWS, 128, counted.append)
    assert sum(counted) == len(ROWS)


def test_perplexity_of_a_model_without_an_opinion_is_the_size_of_its_vocabulary(uniform):
    evidence = measure_perplexity(uniform, sampled("one", "a longer text", "x" * 50))
    assert perplexities(evidence, "literature")[0].value == pytest.approx(uniform.model.config.vocab_size, rel=1e-5)


def test_perplexity_weighs_tokens_and_not_documents(teacher):
    texts = ("ab", "a much longer text than that")
    evidence = measure_perplexity(teacher, sampled(*texts))
    rows = [teacher.tokenizer(text)["input_ids"] for text in texts]
    expected = math.exp(sum(alone(teacher, row) for row in rows) / sum(len(row) - 1 for row in rows))
    assert perplexities(evidence, "literature")[0].value == pytest.approx(expected, rel=1e-5)
    assert [document.tokens for document in evidence.documents] == [1, len(texts[1]) - 1]


def test_the_second_measure_leaves_out_the_beginning_of_each_document(teacher):
    text = "a text of more than thirty-two letters, each of which is a token"
    evidence = measure_perplexity(teacher, sampled(text, "short"))
    row = torch.tensor([teacher.tokenizer(text)["input_ids"]])
    with torch.inference_mode():
        logits = teacher.model(input_ids=row).logits[0, LATER:-1]
    expected = torch.nn.functional.cross_entropy(logits, row[0, LATER + 1 :]).exp()
    every, later = perplexities(evidence, "literature")
    assert (every.score.scope, later.score.scope) == ("literature", "literature, after 32 tokens")
    assert later.value == pytest.approx(float(expected), rel=1e-5)
    assert later.value != pytest.approx(every.value)
    assert len(perplexities(measure_perplexity(teacher, sampled("short")), "literature")) == 1


def test_only_the_first_tokens_of_a_document_count(teacher):
    long, cut = sampled("abcdefgh" + "z" * 100), sampled("abcdefgh")
    assert measure_perplexity(teacher, long, 8).documents == measure_perplexity(teacher, cut, 8).documents


def test_a_document_of_one_token_is_left_out_and_counted(teacher):
    evidence = measure_perplexity(teacher, sampled("a", "two"))
    assert [document.id for document in evidence.documents] == ["1"]
    assert evidence.too_short == 1
    assert "1 documents of less than two tokens left out" in perplexities(evidence, "literature")[0].score.note
    with pytest.raises(EvaluationError, match="No document of here has two tokens"):
        measure_perplexity(teacher, sampled("a", "b"))
