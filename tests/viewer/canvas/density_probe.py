"""Shows an image 1:1 on a screen of twice the density and prints ratio, zoom and whether all pixels are in place."""

from __future__ import annotations

import sys

import numpy as np
from PySide6.QtWidgets import QApplication

from kdistill_core.imaging.display import render
from kdistill_core.records import ImageSource, Radiograph, VoiFunction, Window
from kdistill_viewer.canvas import ImageCanvas

application = QApplication(sys.argv[:1])
pixels = np.random.default_rng(0).integers(0, 4096, (200, 150)).astype(np.float32)
radiograph = Radiograph(pixels, ImageSource(""), "")
window = Window(2048, 4096, function=VoiFunction.LINEAR_EXACT)
canvas = ImageCanvas()
canvas.resize(301, 250)
canvas.show_radiograph(radiograph)
canvas.set_window(window)
canvas.actual_size()
image = canvas.to_image()
image.save(sys.argv[1])
shown = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1, 4)[..., 1]
view = canvas.view_transform()
left, top = int(view.offset_x), int(view.offset_y)
same = np.array_equal(shown[top : top + 200, left : left + 150], render(radiograph, window))
print(image.devicePixelRatio(), view.zoom, same)
