"""Texts of unequal length go through the language model in pieces, and nothing but its time changes."""

from __future__ import annotations

import pytest
import torch

from kdistill_core.student import StudentModel
from kdistill_core.student.configuration import tiny_config
from kdistill_core.student.ragged import logits_of_unequal, worth_splitting


@pytest.fixture(scope="module")
def student() -> StudentModel:
    torch.manual_seed(0)
    return StudentModel(tiny_config(vocab_size=40)).eval()


def mask_of(lengths: list[int]) -> torch.Tensor:
    return (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()


@pytest.mark.parametrize("lengths", [[9, 2, 5, 5, 12, 1, 7, 3, 12], [4] * 8, [1] * 8])
def test_pieces_give_the_logits_and_gradients_of_the_whole(student, lengths):
    ahead, mask = 3, mask_of(lengths)
    width = student.language_model.config.hidden_size
    embeds = torch.randn(len(lengths), ahead + mask.shape[1], width)
    whole_mask = torch.cat([mask.new_ones(len(lengths), ahead), mask], dim=1)
    taken = [embeds.clone().requires_grad_(), embeds.clone().requires_grad_()]
    whole = student.language_model(
        inputs_embeds=taken[0], attention_mask=whole_mask, logits_to_keep=mask.shape[1]
    ).logits
    pieces = logits_of_unequal(student.language_model, taken[1], whole_mask, mask.shape[1])
    told = mask.bool()
    torch.testing.assert_close(pieces[told], whole[told], atol=1e-5, rtol=1e-5)
    for logits in (whole, pieces):
        logits[told].square().sum().backward()
    torch.testing.assert_close(taken[0].grad, taken[1].grad, atol=1e-4, rtol=1e-4)


def test_a_student_in_training_computes_no_padding(student, monkeypatch):
    lengths = [9, 2, 5, 5, 12, 1, 7, 3]
    positions = []
    asked = student.language_model.forward
    monkeypatch.setattr(
        student.language_model,
        "forward",
        lambda **given: positions.append(given["inputs_embeds"].shape[:2].numel()) or asked(**given),
    )
    ids, mask = torch.randint(1, 40, (8, 12)), mask_of(lengths)
    student.train()(pixel_values=torch.randn(8, 1, 64, 64), input_ids=ids, attention_mask=mask)
    student.eval()(pixel_values=torch.randn(8, 1, 64, 64), input_ids=ids, attention_mask=mask)
    prefix = student.config.prefix_length
    # Two pieces: the four longest texts and the four shortest.
    assert positions == [4 * (prefix + 12), 4 * (prefix + 5), 8 * (prefix + 12)]


def test_only_many_texts_padded_at_their_ends_are_split():
    assert worth_splitting(mask_of([3, 2, 5, 5, 1, 1, 7, 3]))
    assert not worth_splitting(mask_of([3, 2, 5]))
    assert not worth_splitting(mask_of([3, 2, 5, 5, 1, 1, 7, 3]).flip(1))
