"""Every saliency method, what it is called and what kinds of target it explains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from kdistill_core.records import TargetKind
from kdistill_core.saliency import attention, grad_cam, gradient_x_activation, integrated_gradients
from kdistill_core.saliency.errors import SaliencyError
from kdistill_core.saliency.targets import Target
from kdistill_core.student import StudentModel

_EVERY_KIND = frozenset(TargetKind)
_CONDITION_ONLY = frozenset({TargetKind.CONDITION})

Check = Callable[[], None]


@dataclass(frozen=True)
class SaliencyMethod:
    """A method and the kinds of target it serves; ``attribute`` returns a map [h, w] on the model's grid."""

    name: str
    kinds: frozenset[TargetKind]
    attribute: Callable[[StudentModel, Tensor, Target, Check], Tensor]


# In order of preference: the first that serves a kind is its default. Pointing game of the demo student (peak within
# the true mask; 100 drawn phantoms, 242 findings): attention .50, gradient times activation .49, Grad-CAM .38, image
# center .17, random place .08. One large lesion in a known corner (48 phantoms, within a cell of the map): gradient
# times activation .96, Grad-CAM .88, attention .81, which reads the right base for effusions of either side.
METHODS: tuple[SaliencyMethod, ...] = (
    SaliencyMethod("gradient_x_activation", _EVERY_KIND, gradient_x_activation.attribute),
    SaliencyMethod("attention", _CONDITION_ONLY, attention.attribute),
    SaliencyMethod("grad_cam", _CONDITION_ONLY, grad_cam.attribute),
    SaliencyMethod("integrated_gradients", _EVERY_KIND, integrated_gradients.attribute),
)


def methods_for(kind: TargetKind) -> tuple[str, ...]:
    """Return the names of the methods that explain a target of this kind, the default first."""
    return tuple(method.name for method in METHODS if kind in method.kinds)


def attribute(
    model: StudentModel, pixel_values: Tensor, target: Target, method: str = "", *, check: Check = lambda: None
) -> NDArray[np.float32]:
    """Return a saliency map on the model's grid, float32 [h, w]; positive where the image spoke for ``target``.

    pixel_values: float [1, 1, S, S] as the processor makes them, on the model's device.
    method: a name of :func:`methods_for`, empty for the default.
    check: called at each step; an exception it raises ends the work.
    Raises SaliencyError for a method that does not exist or does not explain this kind of target.
    """
    chosen = _method(method or methods_for(target.kind)[0])
    if target.kind not in chosen.kinds:
        raise SaliencyError(
            f'The method "{chosen.name}" does not explain a {target.kind}.',
            f"Choose one of {', '.join(methods_for(target.kind))}.",
        )
    grid = chosen.attribute(model, pixel_values, target, check)
    values: NDArray[np.float32] = grid.float().cpu().numpy()
    if not np.isfinite(values).all():
        raise SaliencyError(
            f'The method "{chosen.name}" gave numbers that are not finite.', "Choose float32 as the precision."
        )
    return values


def _method(name: str) -> SaliencyMethod:
    for method in METHODS:
        if method.name == name:
            return method
    raise SaliencyError(
        f'There is no saliency method "{name}".', f"Choose one of {', '.join(method.name for method in METHODS)}."
    )
