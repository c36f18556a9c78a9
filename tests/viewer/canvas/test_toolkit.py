"""What the canvas needs of the installed PySide6, for the day a newer one is let in."""

from __future__ import annotations

import sys

import pytest
from PySide6.QtGui import QColor, QImage


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None is immortal from Python 3.12 on")
def test_calls_leave_the_reference_count_of_none_alone():
    """PySide6 6.12.0 takes one away in every call; a few seconds of painting end the process."""
    image = QImage(4, 4, QImage.Format.Format_RGB32)
    before = sys.getrefcount(None)
    for _ in range(500):
        image.fill(QColor("black"))
    assert abs(sys.getrefcount(None) - before) < 100
