"""Text is measured before it is set, so that none of it is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdistill_core.conditions import CONDITIONS
from kdistill_core.exchange.sheet import INK, Sheet, Style, fitting, text_width, wrapped

STYLE = Style()


def inked_columns(text: str, style: Style) -> np.ndarray:
    """Return the columns of a sheet that a line of text leaves a mark in."""
    sheet = Sheet(900, 40)
    sheet.text(10, 5, text, style)
    ground = np.array([int(INK.ground[i : i + 2], 16) for i in (1, 3, 5)])
    return np.nonzero((sheet.pixels() != ground).any(axis=(0, 2)))[0]


@pytest.mark.parametrize("text", ["There is a left pleural effusion.", "$5 and $6 ✓ ✗ °", "WWWW iiii"])
def test_the_measured_width_is_the_drawn_one(text):
    columns = inked_columns(text, STYLE)
    assert columns[0] == pytest.approx(10, abs=3)
    assert columns[-1] == pytest.approx(10 + text_width(text, STYLE), abs=4)


@given(st.text(st.sampled_from("ab WMi.\n"), max_size=200))
def test_no_letter_is_lost_and_no_line_too_wide(text):
    lines = wrapped(text, 120, STYLE)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(text_width(line, STYLE) <= 120 for line in lines)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_fitted_name_fits(condition):
    style = fitting(condition.value, 150, Style(weight="bold"))
    assert text_width(condition.value, style) <= 152
    assert inked_columns(condition.value, style)[-1] <= 10 + 154


def test_what_fits_already_is_left_alone():
    assert fitting("Edema", 400, STYLE) is STYLE
