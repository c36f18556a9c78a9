"""A radiograph as a small picture for the list of studies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PySide6.QtGui import QIcon, QImage, QPixmap

from kdistill_core.records import Radiograph

SIDE = 40  # logical pixels


def thumbnail(radiograph: Radiograph) -> QIcon:
    """Return a picture of at most twice ``SIDE`` pixels a side, in the radiograph's default window.

    Every n-th pixel is taken before anything is computed, so that a full-size radiograph costs no time either.
    """
    from kdistill_core.imaging.display import default_window, render

    step = max(1, max(radiograph.rows, radiograph.columns) // (2 * SIDE))
    padding = None if radiograph.padding is None else radiograph.padding[::step, ::step]
    small = replace(radiograph, pixels=np.ascontiguousarray(radiograph.pixels[::step, ::step]), padding=padding)
    gray = np.ascontiguousarray(render(small, default_window(small)))
    rows, columns = gray.shape
    image = QImage(gray.data, columns, rows, columns, QImage.Format.Format_Grayscale8)
    return QIcon(QPixmap.fromImage(image))
