"""The image in the middle: the radiograph, the overlay in its very transform, what is written over it, the tools."""

from kdistill_viewer.canvas.color_maps import COLOR_MAPS
from kdistill_viewer.canvas.image_canvas import ImageCanvas, PointerReading
from kdistill_viewer.canvas.overlay import CanvasError, OverlayStyle

__all__ = ["COLOR_MAPS", "CanvasError", "ImageCanvas", "OverlayStyle", "PointerReading"]
