"""How hard each term pulls at the shared encoder, against numbers worked out by hand and separate backward passes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from kdistill_core.distillation.gradient_norms import gradient_norms, shared_encoder
from kdistill_core.distillation.losses import Term
from kdistill_core.student.tiny import tiny_student


def test_norms_of_a_linear_model_by_hand() -> None:
    encoder = nn.Linear(2, 1, bias=False)
    told = encoder(torch.tensor([[3.0, 4.0]])).sum()
    # The gradient of 2 w.x is 2 x, of length 10; a weight of a half makes it 5. That of (w.x)^2 is 2 (w.x) x.
    with torch.no_grad():
        encoder.weight.copy_(torch.tensor([[1.0, 0.5]]))
    again = encoder(torch.tensor([[3.0, 4.0]])).sum()
    terms = {"plain": Term(2 * told, 1), "squared": Term(again**2, 1), "turned": Term(-told, 1)}
    norms = gradient_norms(terms, {"plain": 0.5, "squared": 0.1, "turned": 3.0}, list(encoder.parameters()))
    assert norms == pytest.approx(
        {"plain/gradient_norm": 5.0, "squared/gradient_norm": 0.1 * 2 * 5 * 5, "turned/gradient_norm": 15.0}
    )


def test_norms_are_those_of_finite_differences() -> None:
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(3, 2), nn.Tanh()).double()
    images = torch.randn(4, 3, dtype=torch.float64)

    def value() -> torch.Tensor:
        return encoder(images).square().mean()

    (norm,) = gradient_norms({"a": Term(value(), 4)}, {"a": 2.0}, list(encoder.parameters())).values()
    squares, step = 0.0, 1e-5
    with torch.no_grad():
        for parameter in encoder.parameters():
            flat = parameter.view(-1)
            for at in range(len(flat)):
                flat[at] += step
                above = float(value())
                flat[at] -= 2 * step
                squares += ((above - float(value())) / (2 * step)) ** 2
                flat[at] += step
    assert norm == pytest.approx(2 * squares**0.5, rel=1e-6)


def test_a_student_is_measured_on_its_encoder_and_its_step_goes_on_undisturbed() -> None:
    model, _ = tiny_student()
    output = model(pixel_values=torch.randn(2, 1, 64, 64), input_ids=torch.ones(2, 3, dtype=torch.int64))
    terms = {
        "classification": Term(output.condition_logits.square().mean(), 2),
        "generation": Term(output.logits.square().mean(), 6),
    }
    encoder = shared_encoder(model)
    norms = gradient_norms(terms, {"classification": 1.0, "generation": 0.5}, encoder)
    assert all(parameter.grad is None for parameter in model.parameters())
    for name, weight in (("classification", 1.0), ("generation", 0.5)):
        model.zero_grad()
        (weight * terms[name].value).backward(retain_graph=True)
        pulled = [
            parameter.grad.flatten()
            for part in (model.vision, model.condition_queries)
            for parameter in part.parameters()
            if parameter.grad is not None
        ]
        assert norms[f"{name}/gradient_norm"] == pytest.approx(float(torch.cat(pulled).norm()), rel=1e-5)
        assert norms[f"{name}/gradient_norm"] > 0


def test_a_frozen_encoder_has_no_norms() -> None:
    model, _ = tiny_student()
    model.requires_grad_(requires_grad=False)
    assert gradient_norms({"a": Term(torch.tensor(1.0), 1)}, {"a": 1.0}, shared_encoder(model)) == {}


def test_a_term_that_does_not_reach_the_encoder_pulls_at_nothing() -> None:
    encoder, head = nn.Linear(2, 2), nn.Linear(2, 1)
    terms = {"apart": Term(head(torch.ones(1, 2)).sum(), 1), "constant": Term(torch.tensor(2.0), 1)}
    norms = gradient_norms(terms, {"apart": 1.0, "constant": 1.0}, list(encoder.parameters()))
    assert norms == {"apart/gradient_norm": 0.0, "constant/gradient_norm": 0.0}
