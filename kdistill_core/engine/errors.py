"""The error family of the engine."""

from __future__ import annotations

from kdistill_core.errors import KDistillError


class EngineError(KDistillError):
    """A request that the engine cannot carry out: a model folder, a device, an explanation that is gone."""


class DeclinedError(EngineError):
    """The image is not a frontal chest radiograph as far as the program can tell; nothing was explained."""
