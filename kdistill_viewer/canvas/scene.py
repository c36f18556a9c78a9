"""What the canvas shows, and its painting onto any painter: a widget's, or that of an image to export."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPen

from kdistill_core.imaging.identification import patient_lines, side_markers
from kdistill_core.records import Radiograph, SaliencyMap, Window
from kdistill_viewer.canvas.annotation_layout import (
    Annotations,
    Fonts,
    notice_height,
    paint_annotations,
    paint_message,
    paint_notice,
)
from kdistill_viewer.canvas.annotations import (
    acquisition_lines,
    display_lines,
    overlay_lines,
    scale_bar,
)
from kdistill_viewer.canvas.overlay import OverlayStyle, bar_colors
from kdistill_viewer.canvas.rendering import NEAREST_FROM_ZOOM, ImageLayer, OverlayLayer
from kdistill_viewer.canvas.transform import Extent, ViewTransform
from kdistill_viewer.theme import tokens

# The scale bar's part of the canvas's width.
_LONGEST_SCALE = 0.22


class Scene:
    """The image, its overlay and the words over them. Sizes are logical pixels unless said otherwise."""

    def __init__(self) -> None:
        self.radiograph: Radiograph | None = None
        self.window: Window | None = None
        self.inverted = False
        self.smooth_always = False
        self.style = OverlayStyle()
        self.message = "No image open"
        self.advice = "Open a file or a folder, or drop one here."
        self.data_range = 0.0
        self._image: ImageLayer | None = None
        self._overlay: OverlayLayer | None = None
        self._saliency: SaliencyMap | None = None
        self._target_text = ""
        self._fonts_of: QFont | None = None
        self._fonts = Fonts.of(QFont())

    def set_radiograph(self, radiograph: Radiograph | None) -> None:
        """Show another radiograph, without overlay, upright in its gray scale."""
        self.radiograph = radiograph
        self.inverted = False
        self.window = None
        self.set_overlay(None)
        self._image = None
        if radiograph is not None:
            self._image = ImageLayer(radiograph)
            seen = radiograph.pixels if radiograph.padding is None else radiograph.pixels[~radiograph.padding]
            self.data_range = float(np.ptp(seen)) if seen.size else 0.0

    def set_overlay(self, saliency: SaliencyMap | None, target_text: str = "") -> None:
        """Lay a map over the image, or none. Raises CanvasError for a map that is not this image's."""
        shown = saliency if self.radiograph is not None else None
        self._overlay = OverlayLayer(shown, self.radiograph) if shown is not None and self.radiograph else None
        self._saliency = shown
        self._target_text = target_text

    def fonts(self, font: QFont) -> Fonts:
        """Return the type sizes for a widget's font."""
        if font != self._fonts_of:
            self._fonts, self._fonts_of = Fonts.of(font), QFont(font)
        return self._fonts

    def image_height(self, width: float, height: float, font: QFont) -> float:
        """Return the height left for the image above the notice; the notice gives way to nothing."""
        return max(height - notice_height(width, self.fonts(font)), 0.0)

    def paint(
        self,
        painter: QPainter,
        area: QRectF,
        font: QFont,
        extent: Extent | None,
        view: ViewTransform | None,
        ratio: float,
    ) -> QRectF:
        """Paint everything; ``ratio`` is device per logical pixels. Returns where progress may stand."""
        fonts = self.fonts(font)
        height = self.image_height(area.width(), area.height(), font)
        upper = QRectF(area.left(), area.top(), area.width(), height)
        strip = QRectF(area.left(), upper.bottom(), area.width(), area.height() - height)
        painter.fillRect(area, QColor(tokens.CANVAS))
        free = upper
        if self._image is None or self.window is None or extent is None or view is None:
            paint_message(painter, upper, self.message, self.advice, fonts)
        else:
            self._paint_layers(painter, upper.topLeft(), extent, view, ratio)
            painter.save()
            painter.setClipRect(upper)
            free = paint_annotations(painter, upper, self._annotations(upper.width(), view, ratio), fonts)
            painter.restore()
        paint_notice(painter, strip, fonts)
        return free

    def _paint_layers(
        self, painter: QPainter, corner: QPointF, extent: Extent, view: ViewTransform, ratio: float
    ) -> None:
        assert self._image is not None  # noqa: S101 - paint() has looked
        assert self.window is not None  # noqa: S101
        smooth = self.smooth_always or view.zoom < NEAREST_FROM_ZOOM
        layers = [
            self._image.image(
                extent, view, self.window, inverted=self.inverted, smooth=smooth, around=QColor(tokens.CANVAS)
            )
        ]
        if self._overlay is not None and self.style.visible:
            layers.append(self._overlay.image(extent, view, self.style, smooth=smooth))
        for layer in layers:
            layer.setDevicePixelRatio(ratio)
            painter.drawImage(corner, layer)
        if self._saliency is not None and self.style.visible and self.style.peak:
            x, y = view.to_device(*self._saliency.peak)
            paint_peak(painter, corner + QPointF(x, y) / ratio)

    def _annotations(self, width: float, view: ViewTransform, ratio: float) -> Annotations:
        assert self.radiograph is not None  # noqa: S101 - paint() has looked
        bar = scale_bar(self.radiograph.spacing, view.zoom, width * ratio * _LONGEST_SCALE)
        shown = self._saliency is not None and self.style.visible
        return Annotations(
            patient=patient_lines(self.radiograph),
            acquisition=acquisition_lines(self.radiograph),
            display=display_lines(view.zoom, self.window, inverted=self.inverted),
            markers=side_markers(self.radiograph),
            scale=replace(bar, length=bar.length / ratio) if bar else None,
            overlay=overlay_lines(self._saliency, self._target_text) if shown and self._saliency else (),
            colors=bar_colors(self.style) if shown else None,
        )


def paint_peak(painter: QPainter, at: QPointF) -> None:
    """Paint a small open ring about the map's maximum; what lies under the maximum stays visible."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for color, width in ((tokens.ANNOTATION_OUTLINE, 3.5), (tokens.ANNOTATION, 1.5)):
        painter.setPen(QPen(QColor(color), width))
        painter.drawEllipse(at, 9.0, 9.0)
    painter.restore()


def paint_ring(painter: QPainter, area: QRectF, color: str) -> None:
    """Paint the ring that shows keyboard focus, or that files may be dropped here."""
    painter.setPen(QPen(QColor(color), 2))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(area.adjusted(1, 1, -1, -1))


def export_image(
    scene: Scene, area: QRectF, font: QFont, extent: Extent | None, view: ViewTransform | None, ratio: float
) -> QImage:
    """Return what is shown as RGB32, the notice burnt in, without focus ring and progress."""
    image = QImage(
        max(round(area.width() * ratio), 1), max(round(area.height() * ratio), 1), QImage.Format.Format_RGB32
    )
    image.setDevicePixelRatio(ratio)
    with QPainter(image) as painter:
        scene.paint(painter, area, font, extent, view, ratio)
    return image
