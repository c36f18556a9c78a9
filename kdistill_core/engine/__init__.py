"""Inference: device, sessions, streaming, canceling; the worker process and its messages.

Importing this package, its client or its messages never imports torch.
"""

from kdistill_core.engine.errors import DeclinedError, EngineError

__all__ = ["DeclinedError", "EngineError"]
