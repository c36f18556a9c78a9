"""How much a picture looks like a frontal chest radiograph, by a linear classifier on coarse features.

The numbers come from ``training/chest_screening.py``, fitted on NIH ChestX-ray14; the command stands there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import numpy as np
from numpy.typing import NDArray

from kdistill_core.imaging.chest_features import FEATURES, chest_features
from kdistill_core.imaging.errors import ImagingError
from kdistill_core.resources import resource

NUMBERS = "screening/chest.npz"


class Kind(StrEnum):
    """What a picture looks like, in the order of the fitted weights."""

    FRONTAL_CHEST = "frontal chest radiograph"
    TURNED_LEFT = "frontal chest radiograph turned to the left"
    TURNED_RIGHT = "frontal chest radiograph turned to the right"
    UPSIDE_DOWN = "frontal chest radiograph upside down"
    NEGATIVE = "negative of a frontal chest radiograph"
    OTHER = "something else"


@dataclass(frozen=True)
class Likeness:
    """probabilities: of each kind, they sum to 1.

    distance: root mean square of what the 48 main axes of chest pictures leave unexplained; typically 0.04.
    """

    probabilities: dict[Kind, float]
    distance: float


@dataclass(frozen=True, eq=False)
class _Numbers:
    weights: NDArray[np.float32]  # [kinds, features]
    bias: NDArray[np.float32]  # [kinds]
    mean: NDArray[np.float32]  # [features], of chest pictures
    axes: NDArray[np.float32]  # [48, features], orthonormal


def chest_likeness(picture: NDArray[np.float32]) -> Likeness:
    """Return what ``picture`` looks like: float32 [rows, columns] in [0, 1], dense tissue bright."""
    numbers = _numbers()
    features = chest_features(picture)
    scores = numbers.weights @ features + numbers.bias
    exponentials = np.exp(scores - scores.max())
    shares = exponentials / exponentials.sum()
    apart = features - numbers.mean
    rest = apart - numbers.axes.T @ (numbers.axes @ apart)
    return Likeness(
        probabilities={kind: float(share) for kind, share in zip(Kind, shares, strict=True)},
        distance=float(np.sqrt(np.mean(rest**2))),
    )


@cache
def _numbers() -> _Numbers:
    path = resource(NUMBERS)
    with np.load(path, allow_pickle=False) as file:
        if str(file["features"]) != FEATURES or list(file["kinds"]) != [kind.value for kind in Kind]:
            raise ImagingError(
                f"{path.name} was fitted for another version of the screening.",
                "Install the package again, or fit it anew with training/chest_screening.py.",
            )
        return _Numbers(file["weights"], file["bias"], file["mean"], file["axes"])
