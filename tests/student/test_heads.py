"""The explanation of each condition, the concepts, and that neither is there unless it is asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from kdistill_core.resources import resource
from kdistill_core.student import StudentConfig, StudentError, StudentModel
from kdistill_core.student.configuration import tiny_config
from kdistill_core.student.loading import load_student
from kdistill_core.student.tiny import tiny_student

CONCEPTS = ["Edema: Kerley lines", "Edema: cephalization", "Fracture: cortical break"]


def student_with(**settings: object) -> StudentModel:
    torch.manual_seed(0)
    config = tiny_config(vocab_size=len(tiny_student()[1].tokenizer), image_size=32)
    return StudentModel(StudentConfig(**{**config.to_dict(), **settings})).eval()


@pytest.fixture(name="pixels", scope="module")
def make_pixels() -> torch.Tensor:
    return torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(1))


def test_neither_is_there_unless_it_is_asked_for(pixels: torch.Tensor) -> None:
    output = student_with()(pixel_values=pixels)
    assert output.condition_explanations is None
    assert output.concept_logits is None


def test_every_condition_has_an_explanation_of_unit_length_of_its_own(pixels: torch.Tensor) -> None:
    model = student_with(condition_alignment=True)
    explained = model(pixel_values=pixels).condition_explanations
    assert explained.shape == (2, 14, model.config.alignment_size)
    torch.testing.assert_close(explained.norm(dim=-1), torch.ones(2, 14))
    explained[0, 3, 0].backward()
    # The query of another condition has no part in it.
    moved = model.condition_queries.queries.grad.abs().sum(-1)
    assert moved[3] > 0
    assert (moved[[0, 1, 2, 4]] == 0).all()


def test_a_concept_is_scored_on_its_mixture_of_conditions(pixels: torch.Tensor) -> None:
    model = student_with(concepts=CONCEPTS)
    seen = model.encode(pixels)
    head = model.concept_head
    # At the start every condition counts the same.
    torch.testing.assert_close(
        seen.concept_logits, seen.condition_embeddings.mean(1) @ head.score.T, atol=1e-6, rtol=1e-4
    )
    with torch.no_grad():
        head.mixture[1, 5] = 60.0
        head.bias[1] = 2.0
    expected = seen.condition_embeddings[:, 5] @ head.score[1] + 2.0
    torch.testing.assert_close(model.encode(pixels).concept_logits[:, 1], expected, atol=1e-5, rtol=1e-4)


def test_saved_and_loaded_they_are_the_same(tmp_path: Path, pixels: torch.Tensor) -> None:
    model = student_with(condition_alignment=True, concepts=CONCEPTS, views=2)
    with torch.no_grad():
        model.view_embedding.kind.normal_()
    model.save_pretrained(tmp_path)
    tiny_student(image_size=32)[1].save_pretrained(tmp_path)
    again, _ = load_student(tmp_path)
    assert again.config.concepts == CONCEPTS
    for field in ("condition_explanations", "concept_logits"):
        assert torch.equal(getattr(again.encode(pixels), field), getattr(model.encode(pixels), field))


@pytest.mark.parametrize(
    ("setting", "value", "advice"),
    [
        ("concepts", CONCEPTS[:2], "names 2 `concepts`"),
        ("views", 3, "asks for 3 kinds"),
        ("condition_alignment", False, "condition_alignment: false"),
    ],
)
def test_another_number_than_was_trained_is_refused(tmp_path: Path, setting: str, value: object, advice: str) -> None:
    student_with(condition_alignment=True, concepts=CONCEPTS, views=2).save_pretrained(tmp_path)
    tiny_student(image_size=32)[1].save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, setting: value}))
    with pytest.raises(StudentError, match="do not fit their configuration") as refusal:
        load_student(tmp_path)
    assert advice in refusal.value.advice


def test_a_concept_named_twice_is_refused() -> None:
    with pytest.raises(StudentError, match="'b' is named twice"):
        StudentConfig(concepts=["a", "b", "b"])


def test_states_of_another_shape_are_refused(pixels: torch.Tensor) -> None:
    model = student_with()
    with pytest.raises(StudentError, match=r"shape \(2, 13\), the decisions \(2, 14\)"):
        model.prefix(model.encode(pixels), torch.zeros(2, 13))


def test_the_shipped_student_has_none_of_it_and_opens_without_a_word(recwarn: pytest.WarningsRecorder) -> None:
    model, _ = load_student(resource("models/student-demo"))
    assert not list(recwarn)
    assert (model.view_embedding, model.concept_head, model.condition_alignment_head) == (None, None, None)
    assert model.config.lora is None
