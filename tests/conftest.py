"""Fixtures that every package's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A busy computer is slow, which is no fault of what is tested.
settings.register_profile("kdistill", deadline=None)
settings.load_profile("kdistill")
# Tests never open a window on the desktop of whoever runs them; those marked `window` are started under Xvfb.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

_SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the project; skips where it is absent."""
    if not _SHARED_DATA.is_dir():
        pytest.skip(f"no real data at {_SHARED_DATA}")
    return _SHARED_DATA
