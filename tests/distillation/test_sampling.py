"""Which case is seen when: by set, by condition, and the same again after an interruption or in another process."""

from __future__ import annotations

import numpy as np
import pytest
from torch.utils.data import Dataset

from kdistill_core.distillation.errors import DistillationError
from kdistill_core.distillation.sampling import DrawnCases, balanced_weights, set_weights


class Numbered(Dataset):
    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count


def test_sets_are_drawn_by_their_shares_whatever_their_size() -> None:
    weights = set_weights({"small": 2, "large": 8}, {"small": 3.0, "large": 1.0, "unused": 5.0})
    assert weights[:2] == pytest.approx([0.375, 0.375])
    assert weights[2:] == pytest.approx([0.25 / 8] * 8)
    with pytest.raises(DistillationError, match="small, large"):
        set_weights({"small": 2, "large": 8}, {"small": 1.0})


def test_a_balanced_draw_takes_every_condition_equally_often() -> None:
    # Condition 0 in cases 0, 1 and 2; condition 1 in case 2; nobody has condition 2; case 3 has none.
    labels = np.array([[1, 0, 0], [1, np.nan, -1], [1, 1, 0], [0, 0, 0]], dtype=float)
    even = np.full(4, 0.25)
    expected = np.array([1 / 9, 1 / 9, 1 / 9 + 1 / 3, 1 / 3])
    np.testing.assert_allclose(balanced_weights(labels, 1.0, even), expected)
    np.testing.assert_allclose(balanced_weights(labels, 0.5, even), (expected + 0.25) / 2)
    np.testing.assert_allclose(balanced_weights(labels, 0.0, even * 3), even)
    with pytest.raises(DistillationError, match="2"):
        balanced_weights(labels, 2.0, even)


def test_draws_are_as_frequent_as_their_weights_and_differ_from_pass_to_pass() -> None:
    drawn = DrawnCases(Numbered(10), 20_000, seed=0, weights=np.array([5, 3, 2, 0, 0, 0, 0, 0, 0, 0]))
    cases = np.array([drawn.case(draw) for draw in range(len(drawn))])
    shares = np.bincount(cases, minlength=10) / len(cases)
    three_sigma = 3 * np.sqrt(0.25 / len(cases))
    np.testing.assert_allclose(shares[:3], [0.5, 0.3, 0.2], atol=three_sigma)
    assert shares[3:].sum() == 0
    assert len({tuple(cases[start : start + 10]) for start in range(0, 1000, 10)}) > 50


def test_without_weights_every_case_comes_once_a_pass() -> None:
    drawn = DrawnCases(Numbered(7), 21, seed=3)
    passes = [[drawn.case(draw) for draw in range(start, start + 7)] for start in (0, 7, 14)]
    assert all(sorted(each) == list(range(7)) for each in passes)
    assert passes[0] != passes[1]


def test_a_draw_is_the_same_whenever_and_wherever_it_is_asked_for() -> None:
    whole, later = (DrawnCases(Numbered(5), 40, seed=1, weights=np.ones(5)) for _ in range(2))
    cases = [whole.case(draw) for draw in range(40)]
    assert [later.case(draw) for draw in (39, 2, 17, 18, 3)] == [cases[draw] for draw in (39, 2, 17, 18, 3)]
    other = DrawnCases(Numbered(5), 40, seed=2, weights=np.ones(5))
    assert [other.case(draw) for draw in range(40)] != cases
