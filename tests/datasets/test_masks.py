"""Run-length masks: COCO's packed form against hand-worked strings and an encoder written from its description."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kdistill_core.datasets.masks import array_of_mask, is_empty, mask_of_array, mask_of_contours, unpacked
from kdistill_core.records import RunLengthMask


def packed(mask: RunLengthMask) -> str:
    """Write run lengths as COCO does: differences from the run two before, five bits a character, sign-extended."""
    text = ""
    for place, run in enumerate(mask.runs):
        number = run - mask.runs[place - 2] if place > 2 else run
        while True:
            group, number = number & 0x1F, number >> 5
            done = number == (-1 if group & 0x10 else 0)
            text += chr(48 + (group if done else group | 0x20))
            if done:
                break
    return text


masks = arrays.arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40)))


@given(masks)
def test_a_mask_survives_packing_and_unpacking(pixels: np.ndarray) -> None:
    mask = mask_of_array(pixels)
    assert unpacked(mask.size, packed(mask)) == mask
    assert (array_of_mask(mask) == pixels).all()
    assert is_empty(mask) == (not pixels.any())
    assert all(run > 0 for run in mask.runs[1:])


def test_a_mask_worked_by_hand() -> None:
    # Two rows, three columns, marked at (row 1, column 0) and (row 0, column 1): down the columns 0 1 | 1 0 | 0 0.
    mask = mask_of_array(np.array([[False, True, False], [True, False, False]]))
    assert mask == RunLengthMask((2, 3), (1, 2, 3))
    assert unpacked((2, 3), "123") == mask  # small runs are one character each, counted from "0"


def test_a_mask_that_begins_with_ones_has_a_first_run_of_no_zeros() -> None:
    assert mask_of_array(np.ones((2, 2), dtype=bool)) == RunLengthMask((2, 2), (0, 4))


def test_numbers_of_several_characters_and_negative_differences_by_hand() -> None:
    # 100 = 0b11_00100: low group 4 with "another follows" (4 + 32 -> "T"), then 3 ("3").
    assert unpacked((10, 10), "T3").runs == (100,)
    # Runs 4, 3, 9, 1: the fourth is written as 1 - 3 = -2, whose five bits are 0b11110 = 30, "N".
    assert unpacked((1, 17), "439N").runs == (4, 3, 9, 1)


@pytest.mark.parametrize(("size", "text"), [((2320, 2828), "PVWX6"), ((2022, 2021), "nefl3")])
def test_an_empty_mask_of_the_published_sample_is_one_run(size: tuple[int, int], text: str) -> None:
    # As in sample/gt_segmentations_val.json of github.com/rajpurkarlab/cheXlocalize.
    assert unpacked(size, text).runs == (size[0] * size[1],)


@pytest.mark.parametrize(
    ("text", "message"), [("T", "cut off"), ("12", "do not fill"), ("1 2", "does not occur"), ("1N6", "do not fill")]
)
def test_a_string_that_is_no_mask_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        unpacked((2, 3), text)


def test_contours_enclose_their_lines_and_may_be_several() -> None:
    square = [(1.0, 1.0), (3.0, 1.0), (3.0, 2.0), (1.0, 2.0)]
    pixels = array_of_mask(mask_of_contours((4, 8), [square, [(6.0, 0.0), (6.0, 3.0)], [(0.0, 3.0)]]))
    expected = np.zeros((4, 8), dtype=bool)
    expected[1:3, 1:4] = True
    expected[0:4, 6] = True
    assert (pixels == expected).all()
