"""The model process's log: a small ring of files in the user's log folder."""

from __future__ import annotations

import logging.handlers
import threading
from pathlib import Path
from typing import BinaryIO

import platformdirs

_FILE_BYTES = 512 * 1024
_OLD_FILES = 2


def log_file() -> Path:
    """Return where the model process's log is kept."""
    return Path(platformdirs.user_log_dir("kdistill", appauthor=False)) / "engine.log"


def drain_to_log(pipe: BinaryIO, path: Path) -> threading.Thread:
    """Copy ``pipe`` line by line into the ring at ``path`` until it ends; returns the thread that does so.

    A folder that cannot be written to is no reason to stop working: the lines are dropped then.
    """
    thread = threading.Thread(target=_drain, args=(pipe, path), name="engine-log", daemon=True)
    thread.start()
    return thread


def _drain(pipe: BinaryIO, path: Path) -> None:
    ring = _open_ring(path)
    with pipe:
        for line in pipe:
            if ring is not None:
                text = line.decode("utf-8", "replace").rstrip()
                ring.emit(logging.LogRecord("engine", logging.INFO, "", 0, text, None, None))
    if ring is not None:
        ring.close()


def _open_ring(path: Path) -> logging.handlers.RotatingFileHandler | None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        ring = logging.handlers.RotatingFileHandler(
            path, maxBytes=_FILE_BYTES, backupCount=_OLD_FILES, encoding="utf-8"
        )
    except OSError:
        return None
    ring.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    return ring
