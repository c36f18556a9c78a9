"""Image reliance, against decoders of which it is known whether they look at the image."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.image_reliance import ImageReliance, combined, image_reliance, other_cases
from kdistill_core.student.modeling import StudentOutput
from kdistill_core.student.tiny import tiny_student

TOKENS = 5


class Decoder(nn.Module):
    """Says the number painted into the image, at odds of 9 : 1 to each other token; blind, it says anything."""

    def __init__(self, *, blind: bool = False) -> None:
        super().__init__()
        self.blind = blind
        self.saw: list[Tensor] = []
        self.eval()

    def forward(
        self, pixel_values: Tensor, input_ids: Tensor, attention_mask: Tensor, **views: Tensor
    ) -> StudentOutput:
        assert not torch.is_grad_enabled()
        self.saw += [pixel_values.flatten(1)[:, 0], *views.values()]
        told = functional.one_hot(pixel_values.flatten(1)[:, 0].long(), TOKENS) * math.log(9.0)
        logits = told[:, None].expand(-1, input_ids.shape[1], -1)
        return StudentOutput(logits=torch.zeros_like(logits) if self.blind else logits)


def batch_of(numbers: list[int], groups: list[int], length: int = 3) -> dict[str, Tensor]:
    said = torch.tensor(numbers)[:, None].expand(-1, length).clone()
    return {
        "pixel_values": torch.tensor(numbers).float().view(-1, 1, 1, 1).expand(-1, 1, 2, 2),
        "input_ids": said,
        "attention_mask": torch.ones_like(said),
        "labels": said,
        "condition_states": torch.ones(len(numbers), 2),
        "groups": torch.tensor(groups),
    }


def test_a_decoder_that_reads_the_image_by_hand() -> None:
    batch = batch_of([0, 1, 2], [7, 8, 9])
    batch["labels"][1, 1:] = -100
    reliance = image_reliance(Decoder(), batch)
    # Of the right number's 9 / 13, the wrong one leaves 1 / 13; 2 + 0 + 2 tokens are predicted.
    assert reliance.tokens == 4
    assert reliance.right == pytest.approx(-math.log(9 / 13), rel=1e-6)
    assert reliance.other == pytest.approx(-math.log(1 / 13), rel=1e-6)
    assert reliance.difference == pytest.approx(-math.log(9), rel=1e-6)


def test_a_decoder_that_ignores_the_image_has_none() -> None:
    reliance = image_reliance(Decoder(blind=True), batch_of([0, 1, 2, 3], [0, 1, 2, 3]))
    assert reliance.difference == 0
    assert reliance.right == pytest.approx(math.log(TOKENS), rel=1e-6)


def test_a_case_without_another_of_other_findings_is_left_out() -> None:
    # Three cases of one group and one of another: only one pair can be exchanged.
    reliance = image_reliance(Decoder(), batch_of([1, 2, 3, 4], [0, 0, 0, 1]))
    assert reliance.tokens == 2 * 2
    assert image_reliance(Decoder(), batch_of([1, 1], [5, 5])) == ImageReliance(0.0, 0.0, 0)
    assert image_reliance(Decoder(), batch_of([], [])) == ImageReliance(0.0, 0.0, 0)


def test_all_views_of_a_case_change_places_together() -> None:
    batch = batch_of([0, 1, 2], [0, 1, 2])
    batch |= {"view_ids": torch.tensor([[10], [11], [12]]), "view_times": torch.tensor([[0.0], [0.1], [0.2]])}
    decoder = Decoder()
    image_reliance(decoder, batch)
    own, others = decoder.saw[:3], decoder.saw[3:]
    assert own[0].tolist() == [0, 1, 2]
    assert others[0].tolist() != own[0].tolist()
    for pixels, kinds, times in (own, others):
        assert kinds.squeeze(-1).tolist() == [10 + int(number) for number in pixels]
        assert times.squeeze(-1).tolist() == pytest.approx([int(number) / 10 for number in pixels])


def test_partners_have_other_findings_and_are_as_many_as_there_can_be() -> None:
    for groups in itertools.product(range(3), repeat=5):
        partners, differ = other_cases(torch.tensor(groups))
        assert sorted(partners.tolist()) == list(range(5))
        assert differ.tolist() == [groups[at] != groups[other] for at, other in enumerate(partners.tolist())]
        # Whatever the largest group has beyond the others finds no partner; nobody else is left alone.
        largest = max(groups.count(group) for group in set(groups))
        assert int(differ.sum()) == min(5, 2 * (5 - largest))


def test_the_same_batch_gives_the_same_figure() -> None:
    model, _ = tiny_student()
    generator = torch.Generator().manual_seed(0)
    batch = batch_of([3, 4, 3, 4], [0, 1, 2, 2], length=6)
    batch["pixel_values"] = torch.randn(4, 1, 64, 64, generator=generator)
    first = image_reliance(model, batch)
    assert first == image_reliance(model, batch)
    assert first.tokens == 4 * 5
    assert first.right != first.other


def test_batches_are_combined_by_their_tokens() -> None:
    whole = combined([ImageReliance(1.0, 2.0, 3), ImageReliance(0.0, 0.0, 0), ImageReliance(2.0, 6.0, 1)])
    assert whole == ImageReliance(1.25, 3.0, 4)
    assert combined([]) == ImageReliance(0.0, 0.0, 0)


def test_a_model_in_training_is_refused() -> None:
    with pytest.raises(DistillationError, match="training mode"):
        image_reliance(Decoder().train(), batch_of([0, 1], [0, 1]))
