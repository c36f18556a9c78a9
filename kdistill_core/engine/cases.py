"""The cases a session has at hand: what the student saw of an image, kept for the overlays that are asked for next."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from kdistill_core.engine.models import Models
from kdistill_core.imaging.geometry import Affine
from kdistill_core.records import Radiograph

Kept = TypeVar("Kept")


@dataclass(frozen=True, eq=False)
class Case:
    """One radiograph as the student sees it.

    pixel_values: float [1, 1, S, S], on the student's device and in its precision.
    shape: (rows, columns) of the original image; padding: bool of that shape, where the detector saw nothing.
    """

    pixel_values: Tensor
    image_to_model: Affine
    shape: tuple[int, int]
    padding: NDArray[np.bool_] | None


def prepare_case(models: Models, radiograph: Radiograph) -> Case:
    """Return ``radiograph`` ready for the student."""
    square = models.processor.model_input(radiograph)
    return Case(
        pixel_values=models.pixel_values(models.processor.pixel_values(square.pixels[None])),
        image_to_model=square.image_to_model,
        shape=(radiograph.rows, radiograph.columns),
        padding=radiograph.padding,
    )


class Recent(Generic[Kept]):
    """The ``capacity`` things used last, by id."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._things: OrderedDict[str, Kept] = OrderedDict()

    def put(self, key: str, thing: Kept) -> None:
        self._things[key] = thing
        self._things.move_to_end(key)
        while len(self._things) > self._capacity:
            self._things.popitem(last=False)

    def get(self, key: str) -> Kept | None:
        if key in self._things:
            self._things.move_to_end(key)
        return self._things.get(key)

    def clear(self) -> None:
        self._things.clear()
