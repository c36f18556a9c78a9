"""The affine maps, against matrix algebra done by other means."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kdistill_core.imaging.geometry import Affine, scaling, translation

numbers = st.floats(-50, 50)
factors = st.floats(0.05, 20)
points = st.lists(st.tuples(st.floats(-4000, 4000), st.floats(-4000, 4000)), min_size=1, max_size=8)


@given(sx=factors, sy=factors, x=numbers, y=numbers, given_points=points)
def test_inverse_leads_back(sx, sy, x, y, given_points):
    there = scaling(sx, sy).then(translation(x, y))
    back = there.inverse().apply(there.apply(given_points))
    np.testing.assert_allclose(back, given_points, atol=1e-6)


@given(sx=factors, sy=factors, x=numbers, y=numbers, given_points=points)
def test_then_is_the_product_of_homogeneous_matrices(sx, sy, x, y, given_points):
    first, second = translation(x, y), Affine(np.array([[sx, 0.3, y], [-0.2, sy, x]]))
    square = [np.vstack([affine.matrix, [0, 0, 1]]) for affine in (first, second)]
    homogeneous = np.column_stack([given_points, np.ones(len(given_points))])
    expected = (square[1] @ square[0] @ homogeneous.T).T[:, :2]
    np.testing.assert_allclose(first.then(second).apply(given_points), expected, atol=1e-6)


def test_scaling_maps_outer_corners_onto_outer_corners():
    half = scaling(0.5, 0.5)
    # A picture of 10 by 6 pixels reaches from -0.5 to 9.5 and 5.5; halved it is 5 by 3.
    np.testing.assert_allclose(half.apply([(-0.5, -0.5), (9.5, 5.5)]), [(-0.5, -0.5), (4.5, 2.5)])


def test_axis_alignment_is_told():
    assert scaling(2, 3).is_axis_aligned
    assert not Affine(np.array([[1, 0.1, 0], [0, 1.0, 0]])).is_axis_aligned
