"""Each method against an independent computation, and the registry."""

import numpy as np
import pytest
import torch

from kdistill_core.errors import Canceled
from kdistill_core.records import TargetKind
from kdistill_core.saliency import (
    METHODS,
    ConditionTarget,
    SaliencyError,
    TextTarget,
    attribute,
    influence,
    methods_for,
)

TEXT = TextTarget(torch.tensor([0, 40, 50, 60, 70]), (2, 3))


def feature_map_and_gradient(model, pixel_values, target):
    """By plain autograd over the parts of the model, without captum."""
    encoding = model.encode(pixel_values)
    if isinstance(target, ConditionTarget):
        score = encoding.condition_logits[0, target.index]
    else:
        logits = model(input_ids=target.input_ids[None], prefix_embeds=model.prefix(encoding)).logits[0]
        table = logits.log_softmax(-1)
        score = sum(table[at - 1, target.input_ids[at]] for at in target.positions)
    (gradient,) = torch.autograd.grad(score, encoding.feature_map)
    return encoding.feature_map[0].detach().numpy(), gradient[0].numpy(), float(score.detach())


@pytest.mark.parametrize("target", [ConditionTarget(5), TEXT], ids=["condition", "text"])
def test_gradient_times_activation_is_what_autograd_gives(random_student, pixel_values, target):
    model, _ = random_student
    features, gradient, _ = feature_map_and_gradient(model, pixel_values, target)
    grid = attribute(model, pixel_values, target, "gradient_x_activation")
    np.testing.assert_allclose(grid, (features * gradient).sum(0), rtol=1e-4, atol=1e-6)


def test_grad_cam_weighs_channels_by_their_mean_gradient(random_student, pixel_values):
    model, _ = random_student
    features, gradient, _ = feature_map_and_gradient(model, pixel_values, ConditionTarget(1))
    expected = np.einsum("chw,c->hw", features, gradient.mean((1, 2)))
    grid = attribute(model, pixel_values, ConditionTarget(1), "grad_cam")
    np.testing.assert_allclose(grid, expected, rtol=1e-4, atol=1e-6)


def test_attention_is_the_query_s_own(random_student, pixel_values):
    model, _ = random_student
    grid = attribute(model, pixel_values, ConditionTarget(7), "attention")
    np.testing.assert_allclose(grid, model.encode(pixel_values).condition_attention[0, 7].detach().numpy())
    assert grid.sum() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("target", [ConditionTarget(5), TEXT], ids=["condition", "text"])
def test_integrated_gradients_sum_to_the_difference_from_the_gray_image(random_student, pixel_values, target):
    model, _ = random_student
    with torch.no_grad():
        difference = target.score(model, pixel_values) - target.score(model, torch.zeros_like(pixel_values))
    grid = attribute(model, pixel_values, target, "integrated_gradients")
    assert grid.sum() == pytest.approx(float(difference), rel=0.05, abs=0.02)


def test_the_score_of_a_text_is_the_sum_of_its_tokens_log_probabilities(random_student, pixel_values):
    model, _ = random_student
    _, _, score = feature_map_and_gradient(model, pixel_values, TEXT)
    assert TEXT.score(model, pixel_values).item() == pytest.approx(score, abs=1e-4)


def test_influence_is_what_the_image_adds_to_the_score(random_student, pixel_values):
    model, _ = random_student
    with torch.no_grad():
        for target in (ConditionTarget(2), TEXT):
            alone = target.score(model, pixel_values) - target.score(model, pixel_values * 0)
            assert influence(model, pixel_values, target) == pytest.approx(alone.item(), abs=1e-4)


def test_attributing_leaves_no_gradients_and_no_hooks_behind(random_student, pixel_values):
    model, _ = random_student
    for kind, target in ((TargetKind.CONDITION, ConditionTarget(0)), (TargetKind.WORD, TEXT)):
        for method in methods_for(kind):
            attribute(model, pixel_values, target, method)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not model.feature_layer._forward_hooks
    assert not pixel_values.requires_grad


def test_every_method_gives_the_grid_of_the_feature_map(random_student, pixel_values):
    model, _ = random_student
    shape = model.encode(pixel_values).feature_map.shape[-2:]
    for method in METHODS:
        assert attribute(model, pixel_values, ConditionTarget(0), method.name).shape == shape


def test_each_kind_of_target_has_a_default_method():
    assert {"attention", "grad_cam"} < set(methods_for(TargetKind.CONDITION))
    assert "attention" not in methods_for(TargetKind.WORD)
    assert methods_for(TargetKind.WORD) == methods_for(TargetKind.SENTENCE) != ()


def test_a_method_that_does_not_serve_the_target_says_which_do(random_student, pixel_values):
    with pytest.raises(SaliencyError, match="gradient_x_activation"):
        attribute(random_student[0], pixel_values, TEXT, "attention")
    with pytest.raises(SaliencyError, match="no saliency method"):
        attribute(random_student[0], pixel_values, TEXT, "guesswork")


def test_numbers_that_are_not_finite_are_an_error_and_no_overlay(random_student, pixel_values):
    with pytest.raises(SaliencyError, match="not finite"):
        attribute(random_student[0], pixel_values * torch.nan, ConditionTarget(0), "attention")


def test_a_long_attribution_can_be_canceled_between_its_steps(random_student, pixel_values):
    steps = iter(range(100))

    def check():
        if next(steps) >= 5:
            raise Canceled

    with pytest.raises(Canceled):
        attribute(random_student[0], pixel_values, TEXT, "integrated_gradients", check=check)
    assert next(steps) == 6
    assert not random_student[0].feature_layer._forward_hooks
