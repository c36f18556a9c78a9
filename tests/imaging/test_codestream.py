"""The size a codestream declares, against what encoders wrote."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from kdistill_core.imaging.codestream import declared_size


@pytest.mark.parametrize(("rows", "columns"), [(30, 40), (257, 65), (1000, 3)])
@pytest.mark.parametrize("kind", ["JPEG", "JPEG2000"])
def test_sizes_that_pillow_wrote(rows, columns, kind):
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((rows, columns), np.uint8)).save(buffer, kind)
    assert declared_size(buffer.getvalue()) == (rows, columns)


def test_progressive_jpeg_with_long_comments():
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((9, 7), np.uint8)).save(buffer, "JPEG", progressive=True, comment=b"\xff\xc0" * 20000)
    assert declared_size(buffer.getvalue()) == (9, 7)


@pytest.mark.parametrize("frame", [b"", b"\xff\xd8", b"\xff\xd8\x00\x00", b"\x00" * 64, b"\xff\x4f\xff\x51\x00"])
def test_what_does_not_say_is_none(frame):
    assert declared_size(frame) is None
