"""Arrays in shared memory: made by the engine, copied and freed by whoever receives the event.

Once its event is sent, a block belongs to the receiver, until the engine is closed. Python's resource tracker would
free the block with the process that made it, and warn; it is told to forget every block that is handed over.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import threading
from collections import OrderedDict
from collections.abc import Collection
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kdistill_core.engine.errors import EngineError
from kdistill_core.engine.messages import SharedArray

_LINUX_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the kernel's own folder, looked at for its free space only
# On Windows a block lives as long as someone holds it open, so its maker holds as many as may be underway.
_HELD_OPEN = 8


class ArrayOutbox:
    """Puts arrays into shared memory and knows which ones it has handed over."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks: OrderedDict[str, SharedMemory | None] = OrderedDict()
        self._closed = False

    def put(self, values: NDArray[np.float32]) -> SharedArray:
        """Copy ``values`` (any shape and dtype) into a new block.

        Raises EngineError when it does not fit, or when the outbox is closed.
        """
        values = np.ascontiguousarray(values)
        size = max(values.nbytes, 1)
        _require_room(size)
        # Shorter than 31 characters, which is all that macOS allows.
        name = f"{_prefix(os.getpid())}{secrets.token_hex(6)}"
        with self._lock:
            if self._closed:
                raise EngineError("The engine is closed.")
            block = SharedMemory(name=name, create=True, size=size)
            _forget(name)
            np.ndarray(values.shape, values.dtype, buffer=block.buf)[...] = values
            if sys.platform == "win32":
                self._blocks[name] = block
                self._close_oldest()
            else:
                block.close()
                self._blocks[name] = None
        return SharedArray(name=name, dtype=values.dtype.str, shape=tuple(values.shape))

    def close(self) -> None:
        """Free what was never taken; nothing can be put in any more."""
        with self._lock:
            self._closed = True
            for name, block in self._blocks.items():
                if block is not None:
                    block.close()
                _unlink(name)
            self._blocks.clear()

    def _close_oldest(self) -> None:
        while len(self._blocks) > _HELD_OPEN:
            _, oldest = self._blocks.popitem(last=False)
            if oldest is not None:
                oldest.close()


def take_array(array: SharedArray) -> NDArray[np.float32]:
    """Return a copy of the array (its own shape and dtype) and free the shared block.

    An array can be taken once, before the engine it came from is closed. Raises EngineError when it is gone.
    """
    try:
        block = SharedMemory(name=array.name)
    except FileNotFoundError as error:
        raise EngineError(
            "The overlay that the model process computed is no longer in memory.", "Ask for it again."
        ) from error
    try:
        return np.ndarray(array.shape, np.dtype(array.dtype), buffer=block.buf).copy()
    finally:
        _free(block)


def discard_array(array: SharedArray) -> None:
    """Free the shared block of an array that nobody will look at; one that is gone already is no error."""
    _unlink(array.name)


def discard_arrays_of(process_id: int, kept: Collection[str]) -> None:
    """Free what a process left behind that died between making a block and handing it over.

    kept: names that were handed over. Only Linux lets one look for blocks; elsewhere they go with the next restart.
    """
    if sys.platform.startswith("linux"):
        for path in _LINUX_SHARED_MEMORY.glob(f"{_prefix(process_id)}*"):
            if path.name not in kept:
                _unlink(path.name)


def _prefix(process_id: int) -> str:
    return f"kdistill_{process_id}_"


def _unlink(name: str) -> None:
    try:
        block = SharedMemory(name=name)
    except FileNotFoundError:
        return
    _free(block)


def _free(block: SharedMemory) -> None:
    block.close()
    try:
        block.unlink()
    except FileNotFoundError:
        _forget(block.name)  # the other process was faster


def _forget(name: str) -> None:
    if sys.platform != "win32":
        resource_tracker.unregister(f"/{name}", "shared_memory")


def _require_room(size: int) -> None:
    """Containers often get a tiny /dev/shm, and writing past its end kills the process instead of raising."""
    if not sys.platform.startswith("linux") or not _LINUX_SHARED_MEMORY.is_dir():
        return
    free = shutil.disk_usage(_LINUX_SHARED_MEMORY).free
    if free < size:
        raise EngineError(
            f"The overlay needs {size / 2**20:.0f} MiB of shared memory and {free / 2**20:.0f} MiB are free.",
            "Give /dev/shm more room (in a container: --shm-size=1g).",
        )
