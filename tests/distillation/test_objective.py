"""The objective: which terms it computes, of what, and what it asks for."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.losses import (
    UncertainPolicy,
    alignment,
    classification,
    concept,
    condition_alignment,
    cosine,
    distillation,
    finding_overlap,
    generation,
    soft_alignment,
    top_distillation,
    universal_top_distillation,
)
from kdistill_core.distillation.objective import (
    TERMS,
    AlignmentSettings,
    ClassificationSettings,
    DistillationSettings,
    Objective,
    Positives,
    Vocabulary,
)
from kdistill_core.student.modeling import StudentOutput

CASES, CONDITIONS, SIZE, LENGTH, TOKENS, SIGNS = 4, 3, 6, 5, 7, 2
POLICIES = (UncertainPolicy.ONES, UncertainPolicy.IGNORE, UncertainPolicy.MULTI_CLASS)
PLAIN = Objective(POLICIES, temperature=0.2, told_share=1.0)


class Student(nn.Module):
    """Gives the same answer whatever it sees, and remembers what that was."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.answers = {
            "condition_logits": torch.randn(CASES, CONDITIONS),
            "explanation_embedding": torch.randn(CASES, SIZE),
            "condition_explanations": torch.randn(CASES, CONDITIONS, SIZE),
            "concept_logits": torch.randn(CASES, SIGNS),
        }
        self.logits = torch.randn(CASES, LENGTH, TOKENS)
        self.seen: dict[str, Tensor] = {}

    def forward(self, **inputs: Tensor) -> StudentOutput:
        self.seen = inputs
        return StudentOutput(**self.answers, logits=self.logits if "input_ids" in inputs else None)


def batch() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    probs = torch.rand(CASES, LENGTH, 2, generator=generator) / 2
    told = torch.randn(CASES, CONDITIONS, SIZE, generator=generator)
    told[0, 1] = float("nan")
    return {
        "pixel_values": torch.zeros(CASES, 1, 8, 8),
        "input_ids": torch.ones(CASES, LENGTH, dtype=torch.int64),
        "attention_mask": torch.ones(CASES, LENGTH, dtype=torch.int64),
        "labels": torch.randint(0, TOKENS, (CASES, LENGTH), generator=generator),
        "condition_states": torch.ones(CASES, CONDITIONS),
        "condition_labels": torch.tensor([[1.0, 0.0, -1.0], [float("nan"), 1.0, 0.0]] * 2),
        "teacher_embeddings": torch.randn(CASES, SIZE, generator=generator),
        "groups": torch.tensor([0, 1, 0, 2]),
        "soft_labels": torch.full((CASES, CONDITIONS), 0.25),
        "finding_sets": torch.tensor([[1, 0, 1], [0, 1, 0], [1, 0, 1], [1, 1, 0]], dtype=torch.bool),
        "condition_embeddings_of_teacher": told,
        "concept_labels": torch.tensor([[1.0, 0.0], [float("nan"), 1.0]] * 2),
        "teacher_token_ids": torch.tensor([1, 4]).expand(CASES, LENGTH, 2),
        "teacher_token_probs": probs,
    }


def test_every_term_is_logged_raw_weighted_and_with_its_count() -> None:
    student, given = Student(), batch()
    weights = dict(zip(TERMS, (1.0, 0.5, 0.3, 5.0, 2.0), strict=True))
    total, logged, output = PLAIN(student, given, weights)
    same = given["groups"][:, None] == given["groups"][None]
    ids, probs, labels = given["teacher_token_ids"], given["teacher_token_probs"], given["labels"]
    expected = {
        "generation": generation(output.logits, labels),
        "distillation": top_distillation(output.logits, ids, probs, labels, 0.5, 1.0),
        "alignment": alignment(output.explanation_embedding, given["teacher_embeddings"], same, 0.2),
        "classification": classification(output.condition_logits, given["condition_labels"], POLICIES),
        "concept": concept(output.concept_logits, given["concept_labels"]),
    }
    assert float(total) == pytest.approx(sum(weights[name] * float(term.value) for name, term in expected.items()))
    for name, term in expected.items():
        assert logged[f"{name}/raw"] == pytest.approx(float(term.value))
        assert logged[f"{name}/weighted"] == pytest.approx(weights[name] * float(term.value))
        assert logged[f"{name}/count"] == term.count
    assert len(logged) == 3 * len(TERMS)


def test_only_weighted_terms_are_computed_and_the_text_only_for_those_that_judge_it() -> None:
    student, given = Student(), batch()
    needed = {name: given[name] for name in ("pixel_values", "concept_labels")}
    _, logged, output = PLAIN(student, needed, {"concept": 1.0, "generation": 0.0})
    assert output.logits is None
    assert set(student.seen) == {"pixel_values"}
    assert set(logged) == {"concept/raw", "concept/weighted", "concept/count"}
    PLAIN(student, given, {"distillation": 1.0})
    assert set(student.seen) == {"pixel_values", "input_ids", "attention_mask", "condition_states"}


def test_views_and_their_times_reach_the_student_and_no_target_does() -> None:
    student, given = Student(), batch()
    views = {"view_ids": torch.zeros(CASES, 1, dtype=torch.int64), "view_times": torch.zeros(CASES, 1)}
    PLAIN(student, given | views, {"classification": 1.0})
    assert set(student.seen) == {"pixel_values", "view_ids", "view_times"}


def test_settings_reach_the_alignment_term() -> None:
    student, given = Student(), batch()
    settings = AlignmentSettings(Positives.OVERLAP, cosine_weight=0.5, condition_weight=2.0)
    terms, output = replace(PLAIN, alignment=settings).terms(student, given, {"alignment": 1.0})
    said, told = output.explanation_embedding, given["teacher_embeddings"]
    each, of_each = output.condition_explanations, given["condition_embeddings_of_teacher"]
    cases = (
        soft_alignment(said, told, finding_overlap(given["finding_sets"]), 0.2).value + 0.5 * cosine(said, told).value
    )
    conditions = condition_alignment(each, of_each, 0.2).value + 0.5 * cosine(each, of_each).value
    assert float(terms["alignment"].value) == pytest.approx(float(cases + 2 * conditions))
    assert terms["alignment"].count == CASES


def test_settings_reach_the_classification_term() -> None:
    student, given = Student(), batch()
    settings = ClassificationSettings(soft_weight=0.3, focusing=2.0, positive_weights=(1.0, 2.0, 3.0))
    terms, output = replace(PLAIN, classification=settings).terms(student, given, {"classification": 1.0})
    expected = classification(
        output.condition_logits, given["condition_labels"], POLICIES,
        soft_labels=given["soft_labels"], soft_weight=0.3, focusing=2.0, positive_weights=(1.0, 2.0, 3.0),
    )  # fmt: skip
    assert float(terms["classification"].value) == pytest.approx(float(expected.value))
    assert terms["classification"].count == expected.count
    assert float(PLAIN.terms(student, given, {"classification": 1.0})[0]["classification"].count) < expected.count


def test_settings_reach_the_distillation_term() -> None:
    student, given = Student(), batch()
    labels, probs = given["labels"], given["teacher_token_probs"]
    settings = DistillationSettings(beta=0.1, temperature=2.0)

    def of(settings: DistillationSettings, extra: dict[str, Tensor]) -> float:
        terms, _ = replace(PLAIN, distillation=settings).terms(student, given | extra, {"distillation": 1.0})
        return float(terms["distillation"].value)

    stored = top_distillation(student.logits, given["teacher_token_ids"], probs, labels, 0.1, 2.0)
    other = universal_top_distillation(student.logits, labels, probs, 2.0)
    logits = torch.randn(CASES, LENGTH, TOKENS)
    assert of(settings, {}) == pytest.approx(float(stored.value))
    assert of(replace(settings, vocabulary=Vocabulary.OTHER), {}) == pytest.approx(float(other.value))
    live = distillation(student.logits, logits, labels, 0.1, 2.0)
    assert of(settings, {"teacher_logits": logits}) == pytest.approx(float(live.value))


def test_the_states_are_told_in_the_share_of_cases_that_was_asked_for() -> None:
    student, given = Student(), batch()
    seen = []
    torch.manual_seed(0)
    for _ in range(200):
        replace(PLAIN, told_share=0.7)(student, given, {"generation": 1.0})
        seen.append(student.seen["condition_states"])
    by_itself = torch.cat(seen).isnan()
    # A case is told all states or none.
    assert (by_itself.all(-1) == by_itself.any(-1)).all()
    assert float(by_itself[:, 0].float().mean()) == pytest.approx(0.3, abs=0.05)


FULL = Objective(
    POLICIES,
    alignment=AlignmentSettings(Positives.OVERLAP, condition_weight=1.0),
    classification=ClassificationSettings(soft_weight=1.0),
)


@pytest.mark.parametrize(
    ("term", "key"),
    [
        ("generation", "labels"),
        ("generation", "condition_states"),
        ("distillation", "input_ids"),
        ("distillation", "teacher_token_ids"),
        ("distillation", "teacher_token_probs"),
        ("alignment", "teacher_embeddings"),
        ("alignment", "finding_sets"),
        ("alignment", "condition_embeddings_of_teacher"),
        ("classification", "condition_labels"),
        ("classification", "soft_labels"),
        ("concept", "concept_labels"),
    ],
)
def test_a_term_names_what_the_batch_lacks(term: str, key: str) -> None:
    given = batch()
    del given[key]
    with pytest.raises(DistillationError, match=f"`{key}`") as refused:
        FULL(Student(), given, {term: 1.0})
    assert f"The {term} term" in str(refused.value)


@pytest.mark.parametrize(("term", "name"), [("alignment", "condition_explanations"), ("concept", "concept_logits")])
def test_a_term_names_what_the_student_does_not_give(term: str, name: str) -> None:
    student = Student()
    student.answers[name] = None
    with pytest.raises(DistillationError, match=f"The {term} term needs `{name}`"):
        FULL(student, batch(), {term: 1.0})


def test_embeddings_of_another_size_are_refused_with_both_sizes() -> None:
    given = batch() | {"teacher_embeddings": torch.zeros(CASES, 0)}
    with pytest.raises(DistillationError, match=r"\(4, 6\).*\(4, 0\)"):
        PLAIN(Student(), given, {"alignment": 1.0})


def test_half_precision_gives_a_total_in_float32() -> None:
    student = Student()
    student.answers = {name: value.bfloat16() for name, value in student.answers.items()}
    student.logits = student.logits.bfloat16()
    total, _, _ = FULL(student, batch(), dict.fromkeys(TERMS, 1.0))
    assert total.dtype == torch.float32
    assert total.isfinite()
