"""Affine maps between the pixel coordinates of the original image and those of the model's input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class Affine:
    """A map of the plane, x' = M [x, y, 1].

    matrix: float64 [2, 3]. Points are (x, y) with x to the right in columns and y downwards in rows; the center of
        the first pixel is (0, 0), so its outer corner is (-0.5, -0.5).
    """

    matrix: NDArray[np.float64]

    def apply(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return the images of ``points``, float64 [n, 2] as (x, y); a single point [2] gives [2]."""
        given = np.asarray(points, dtype=np.float64)
        return given @ self.matrix[:, :2].T + self.matrix[:, 2]

    def inverse(self) -> Affine:
        """Return the map back. Raises numpy.linalg.LinAlgError where there is none."""
        linear = np.linalg.inv(self.matrix[:, :2])
        return Affine(np.column_stack([linear, -linear @ self.matrix[:, 2]]))

    def then(self, following: Affine) -> Affine:
        """Return the map that applies this one first and ``following`` after it."""
        linear = following.matrix[:, :2] @ self.matrix[:, :2]
        return Affine(np.column_stack([linear, following.apply(self.matrix[:, 2])]))

    @property
    def is_axis_aligned(self) -> bool:
        """Whether rows stay rows and columns stay columns."""
        return bool(self.matrix[0, 1] == 0 and self.matrix[1, 0] == 0)


def scaling(factor_x: float, factor_y: float) -> Affine:
    """Return the map of a picture resampled by these factors, outer corner onto outer corner.

    Pixel centers sit half a pixel inside the corner: x' = (x + 0.5) * factor - 0.5.
    """
    shift_x, shift_y = (factor_x - 1) / 2, (factor_y - 1) / 2
    return Affine(np.array([[factor_x, 0.0, shift_x], [0.0, factor_y, shift_y]]))


def translation(x: float, y: float) -> Affine:
    """Return the map that adds (x, y)."""
    return Affine(np.array([[1.0, 0.0, x], [0.0, 1.0, y]]))
