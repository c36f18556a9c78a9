"""What each term averages over in a step, counted before it is computed."""

from __future__ import annotations

import pytest
import torch

from kdistill_core.distillation.averaging import items_of, shares_of
from kdistill_core.distillation.losses import Term, UncertainPolicy
from kdistill_core.distillation.objective import (
    ClassificationSettings,
    DistillationSettings,
    Objective,
    Vocabulary,
)
from kdistill_core.student.configuration import tiny_config
from kdistill_core.student.modeling import StudentModel

NAN = float("nan")
K, VOCABULARY = 14, 300
NAMES = ("generation", "distillation", "alignment", "classification", "concept")


def batch() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(3, VOCABULARY, (3, 6), generator=generator)
    labels[0, 4:] = labels[2, 2:] = -100
    codes = torch.tensor([1.0, 0.0, -1.0, NAN])
    probabilities = torch.rand(3, 6, 2, generator=generator) / 2
    probabilities[1, 3:] = 0
    return {
        "pixel_values": torch.randn(3, 1, 64, 64, generator=generator),
        "input_ids": labels.clamp(min=2),
        "attention_mask": (labels != -100).long(),
        "labels": labels,
        "condition_states": torch.zeros(3, K),
        "condition_labels": codes[torch.randint(4, (3, K), generator=generator)],
        "soft_labels": torch.full((3, K), 0.3),
        "concept_labels": torch.tensor([[1.0, NAN], [0.0, 0.0], [NAN, NAN]]),
        "teacher_embeddings": torch.randn(3, 16, generator=generator),
        "groups": torch.arange(3),
        "teacher_token_ids": torch.where(probabilities > 0, 5, -1),
        "teacher_token_probs": probabilities,
    }


@pytest.mark.parametrize("vocabulary", list(Vocabulary))
@pytest.mark.parametrize("policy", [UncertainPolicy.IGNORE, UncertainPolicy.ONES])
@pytest.mark.parametrize("soft_weight", [0.0, 0.5])
def test_items_are_counted_as_the_terms_count_them(
    vocabulary: Vocabulary, policy: UncertainPolicy, soft_weight: float
) -> None:
    config = tiny_config()
    config.concepts = ["a", "b"]
    objective = Objective(
        (policy,) * K,
        distillation=DistillationSettings(vocabulary=vocabulary),
        classification=ClassificationSettings(soft_weight=soft_weight),
    )
    given = batch()
    with torch.no_grad():
        terms, _ = objective.terms(StudentModel(config).eval(), given, dict.fromkeys(NAMES, 1.0))
    counted = items_of(given, objective, NAMES).tolist()
    assert counted == pytest.approx([terms[name].count for name in NAMES])


def test_shares_make_the_mean_of_micro_batches_the_mean_of_all_their_items() -> None:
    means, counts = (2.0, 5.0), (30.0, 10.0)
    total = 0.0
    for mean, count in zip(means, counts, strict=True):
        terms = {"generation": Term(torch.tensor(mean), count), "alignment": Term(torch.tensor(mean), count)}
        shares = shares_of(terms, {"generation": 40.0, "alignment": 40.0}, batches=2)
        assert shares["alignment"] == 1.0
        total += shares["generation"] * mean / 2
    assert total == pytest.approx((2.0 * 30 + 5.0 * 10) / 40)
    nothing = {"generation": Term(torch.tensor(0.0), 0.0)}
    assert shares_of(nothing, {"generation": 0.0}, batches=2) == {"generation": 1.0}
