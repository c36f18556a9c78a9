"""A study of several views: the queries look at all of them at once, and an absent one is as if it were not there."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from kdistill_core.student import StudentConfig, StudentError, StudentModel
from kdistill_core.student.configuration import tiny_config
from kdistill_core.student.tiny import tiny_student
from kdistill_core.student.views import time_features
from kdistill_core.student.vision import sine_positions

SIDE = 32
FIELDS = ("condition_logits", "condition_attention", "explanation_embedding", "feature_map", "visual_tokens")


def student_of(views: int) -> StudentModel:
    torch.manual_seed(0)
    return StudentModel(StudentConfig(**{**tiny_config(image_size=SIDE).to_dict(), "views": views})).eval()


@pytest.fixture(name="student", scope="module")
def make_student() -> StudentModel:
    """A student of three kinds of view that tells them and their times apart."""
    model = student_of(3)
    with torch.no_grad():
        model.view_embedding.kind.normal_()
        model.view_embedding.time[-1].weight.normal_()
    return model


@pytest.fixture(name="images", scope="module")
def make_images() -> torch.Tensor:
    return torch.randn(2, 3, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def assert_same(one: object, other: object) -> None:
    for field in FIELDS:
        torch.testing.assert_close(getattr(one, field), getattr(other, field), atol=1e-5, rtol=1e-4)


def test_one_view_is_the_same_however_it_is_passed(student: StudentModel, images: torch.Tensor) -> None:
    plain = student.encode(images[:, 0])
    assert_same(plain, student.encode(images[:, :1]))
    assert_same(plain, student.encode(images[:, 0], torch.zeros(2, 1, dtype=torch.int64)))
    assert_same(
        plain, student.encode(images, torch.tensor([[0, -1, -1]] * 2), torch.full((2, 3), math.nan).nan_to_num())
    )


def test_a_student_that_gains_views_starts_as_the_one_it_was(images: torch.Tensor) -> None:
    before, after = student_of(1), student_of(3)
    after.load_state_dict(before.state_dict(), strict=False)
    assert_same(before.encode(images[:, 0]), after.encode(images[:, 0]))


def test_an_absent_view_is_not_looked_at(student: StudentModel, images: torch.Tensor) -> None:
    ids = torch.tensor([[0, 1, -1], [0, -1, 2]])
    spoiled = images.clone()
    spoiled[0, 2], spoiled[1, 1] = math.nan, math.nan
    times = torch.tensor([[0.0, 0.0, math.nan], [0.0, math.nan, 90.0]])
    assert_same(student.encode(images, ids, times), student.encode(spoiled, ids, times))
    alone = student.encode(images[:1, :2], ids[:1, :2])
    torch.testing.assert_close(student.encode(images, ids, times).condition_logits[:1], alone.condition_logits)


def test_an_absent_view_does_not_move_batch_statistics(images: torch.Tensor) -> None:
    one, other = student_of(3).train(), student_of(3).train()
    one.encode(images[:, 0])
    other.encode(images, torch.tensor([[0, -1, -1]] * 2))
    for name, value in one.vision.named_buffers():
        torch.testing.assert_close(value, other.vision.get_buffer(name))


def test_attention_is_shared_among_the_views_that_are_there(student: StudentModel, images: torch.Tensor) -> None:
    seen = student.encode(images, torch.tensor([[0, 1, 2], [1, 0, -1]]))
    shares = seen.view_attention
    assert shares.shape == (2, 14, 3)
    torch.testing.assert_close(shares.sum(-1), torch.ones(2, 14))
    torch.testing.assert_close(seen.condition_attention.sum((-1, -2)), shares[..., 0])
    assert (shares[1, :, 2] == 0).all()
    assert (shares[0] > 0).all()


def test_the_queries_attend_as_torchs_own_attention_does(student: StudentModel, images: torch.Tensor) -> None:
    ids = torch.tensor([[0, 1, 2], [0, 2, -1]])
    times = torch.tensor([[0.0, 0.0, 30.0], [0.0, 400.0, 0.0]])
    seen = student.encode(images, ids, times)
    eye = student.condition_queries
    for study in range(2):
        tokens = []
        for view in range(3):
            if ids[study, view] < 0:
                continue
            grid = student.vision(images[study, view][None])[0]
            offset = student.view_embedding.kind[ids[study, view]]
            offset = offset + student.view_embedding.time(time_features(times[study, view]))
            tokens.append(grid.flatten(1).T + sine_positions(*grid.shape[1:], grid.shape[0]) + offset)
        joined = torch.cat(tokens)
        keys, values, queries = (
            part.unflatten(-1, (eye.heads, -1)).transpose(0, 1)
            for part in (eye.key(joined), eye.value(joined), eye.queries)
        )
        read = functional.scaled_dot_product_attention(queries, keys, values).transpose(0, 1).flatten(1)
        hidden = eye.norm(eye.queries + eye.out(read))
        expected = eye.final_norm(hidden + eye.mix(hidden))
        torch.testing.assert_close(seen.condition_embeddings[study], expected, atol=1e-5, rtol=1e-4)


def test_only_the_first_view_has_a_place(student: StudentModel, images: torch.Tensor) -> None:
    ids, times = torch.tensor([[0, 1, 2]] * 2), torch.tensor([[0.0, 0.0, 9.0]] * 2)
    turned = [0, 2, 1]
    assert_same(student.encode(images, ids, times), student.encode(images[:, turned], ids[:, turned], times[:, turned]))


def test_kind_and_time_of_a_view_are_told(student: StudentModel, images: torch.Tensor) -> None:
    pair = images[:, :2]
    ids = torch.tensor([[0, 1]] * 2)
    base = student.encode(pair, ids).condition_logits
    assert not torch.allclose(base, student.encode(pair, ids + torch.tensor([0, 1])).condition_logits, atol=1e-4)
    older = student.encode(pair, ids, torch.tensor([[0.0, 365.0]] * 2)).condition_logits
    assert not torch.allclose(base, older, atol=1e-4)


def test_time_is_measured_in_its_logarithm() -> None:
    # log(1 + 0) = 0 and, at exp(9) - 1 days, half a period of the slowest sine.
    features = time_features(torch.tensor([0.0, math.exp(9) - 1]))
    assert features.shape == (2, 16)
    torch.testing.assert_close(features[0], torch.cat([torch.zeros(8), torch.ones(8)]))
    assert abs(float(features[1, 0])) < 1e-3
    assert float(features[1, 8]) == pytest.approx(-1, abs=1e-4)


def test_text_is_written_of_all_views(student: StudentModel, images: torch.Tensor) -> None:
    views = {"pixel_values": images, "view_ids": torch.tensor([[0, 1, -1]] * 2), "view_times": torch.zeros(2, 3)}
    ids = torch.zeros(2, 1, dtype=torch.int64)
    for _ in range(4):
        ids = torch.cat([ids, student(**views, input_ids=ids).logits[:, -1:].argmax(-1)], dim=1)
    assert torch.equal(student.generate(**views, max_new_tokens=4, do_sample=False, eos_token_id=None), ids)


STUDY = torch.zeros(2, 3, 1, SIDE, SIDE)
WRONG = {
    "knows 3, counted from 0": (STUDY, torch.tensor([[0, 1, 3]] * 2), None),
    "without view_ids": (STUDY, None, None),
    "view_times came without": (STUDY[:, 0], None, torch.zeros(2, 1)),
    r"view_ids have the shape \(2, 2\)": (STUDY, torch.zeros(2, 2, dtype=torch.int64), None),
    r"view_times have the shape \(2, 1\)": (STUDY, torch.zeros(2, 3, dtype=torch.int64), torch.zeros(2, 1)),
    "first view of a study is absent": (STUDY, torch.tensor([[-1, 0, 1]] * 2), None),
    "negative or not a number": (STUDY, torch.tensor([[0, 1, 2]] * 2), torch.full((2, 3), -1.0)),
    r"shape \(2, 3, 32, 32\)": (STUDY[:, :, 0], None, None),
}


@pytest.mark.parametrize("problem", WRONG)
def test_views_that_do_not_fit_are_refused_with_advice(student: StudentModel, problem: str) -> None:
    with pytest.raises(StudentError, match=problem) as refusal:
        student.encode(*WRONG[problem])
    assert refusal.value.advice


def test_a_student_of_one_view_refuses_several(images: torch.Tensor) -> None:
    model = tiny_student(image_size=SIDE)[0]
    with pytest.raises(StudentError, match="came with 3 views, and this student looks at one"):
        model.encode(images, torch.tensor([[0, 1, 2]] * 2))
    with pytest.raises(StudentError, match="of 0 kinds"):
        StudentConfig(views=0)
