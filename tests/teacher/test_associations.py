"""What the teacher thinks goes together: likelihoods against transformers' own loss, and tables worked by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.teacher.associations import (
    AssociationTemplate,
    continuation_log_likelihood,
    pairs_of_conditions,
    teacher_associations,
    without_marginals,
)
from kdistill_core.teacher.errors import TeacherModelError
from kdistill_core.teacher.knowledge import load_knowledge
from kdistill_core.teacher.model import TeacherModel


@pytest.fixture(scope="module")
def model(tiny_folder: Path) -> TeacherModel:
    return TeacherModel.load(tiny_folder)


def by_loss(model: TeacherModel, beginning: str, continuation: str) -> float:
    """Return log p(continuation | beginning) from the loss of transformers' own model, one text at a time."""
    first = model.tokenizer(beginning, add_special_tokens=False)["input_ids"]
    second = model.tokenizer(f" {continuation}", add_special_tokens=False)["input_ids"]
    tokens = torch.tensor([[*first, *second]])
    labels = tokens.clone()
    labels[0, : len(first)] = -100
    with torch.inference_mode():
        return -float(model.model(input_ids=tokens, labels=labels).loss) * len(second)


def test_likelihoods_are_those_of_the_loss_whatever_else_is_in_the_batch(model: TeacherModel) -> None:
    pairs = [("A film.", "There is edema."), ("FINDINGS: There is a fracture.", "No."), ("X", "There is a long one.")]
    found = continuation_log_likelihood(model, pairs)
    np.testing.assert_allclose(found, [by_loss(model, *pair) for pair in pairs], rtol=1e-5)


def test_a_cell_is_told_less_neutral_averaged_over_templates(model: TeacherModel) -> None:
    knowledge = load_knowledge()
    templates = (AssociationTemplate("{sentence}", "A film."), AssociationTemplate("1: {sentence} 2:", "1:"))
    found = teacher_associations(model, knowledge, templates)
    edema, fracture = CONDITIONS.index(Condition.EDEMA), CONDITIONS.index(Condition.FRACTURE)
    first, second = (knowledge[CONDITIONS[place]].assertion(State.POSITIVE, None) for place in (edema, fracture))
    expected = [
        by_loss(model, template.told.format(sentence=first), second) - by_loss(model, template.neutral, second)
        for template in templates
    ]
    assert found.table[edema, fracture] == pytest.approx(np.mean(expected), abs=1e-4)
    assert np.isnan(np.diag(found.table)).all()
    assert np.isfinite(found.table).sum() == len(CONDITIONS) * (len(CONDITIONS) - 1)
    assert found.by_template.shape == (2, len(CONDITIONS), len(CONDITIONS))
    assert found.weights_sha256 == model.sha256


def test_a_template_that_tells_nothing_leaves_nothing(model: TeacherModel) -> None:
    found = teacher_associations(model, load_knowledge(), [AssociationTemplate("FINDINGS:", "FINDINGS:")])
    np.testing.assert_allclose(np.nan_to_num(found.table), 0, atol=1e-4)


def test_effects_of_rows_and_columns_go_and_the_pair_stays() -> None:
    rng = np.random.default_rng(0)
    size = 6
    marginal = rng.normal(size=(size, 1)) + rng.normal(size=(1, size))
    np.fill_diagonal(marginal, np.nan)
    np.testing.assert_allclose(np.nan_to_num(without_marginals(marginal)), 0, atol=1e-9)
    pair = without_marginals(rng.normal(size=(size, size)))
    # Without a diagonal's gap, what is left is what double centering leaves: rows and columns of mean 0.
    np.testing.assert_allclose(pair.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(pair.mean(axis=1), 0, atol=1e-9)
    np.testing.assert_allclose(
        without_marginals(pair + marginal)[0, 1],
        without_marginals(np.where(np.isnan(marginal), np.nan, pair))[0, 1],
        atol=1e-9,
    )


def test_every_pair_of_findings_is_counted_once() -> None:
    pairs = pairs_of_conditions(frozenset({(Condition.LUNG_OPACITY, Condition.EDEMA)}))
    assert pairs.sum() == 13 * 12 / 2 - 1
    assert not (pairs & pairs.T).any()
    assert not pairs[CONDITIONS.index(Condition.NO_FINDING)].any()


def test_a_model_whose_weights_are_not_numbers_is_refused(tiny_folder: Path) -> None:
    broken = TeacherModel.load(tiny_folder)
    with torch.no_grad():
        next(broken.model.parameters()).fill_(float("nan"))
    with pytest.raises(TeacherModelError, match="not finite"):
        teacher_associations(broken, load_knowledge(), [AssociationTemplate("{sentence}", "A film.")])
