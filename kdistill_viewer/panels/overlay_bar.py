"""How the overlay is drawn and by which method it is computed, as a row of controls in the tool bar."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QSlider, QWidget

from kdistill_viewer.canvas import COLOR_MAPS, OverlayStyle
from kdistill_viewer.canvas.annotations import method_title


class OverlayBar(QWidget):
    """Opacity, threshold, color map and method; ``style_changed`` carries the whole style."""

    style_changed = Signal(object)  # OverlayStyle
    method_chosen = Signal(str)

    def __init__(self, style: OverlayStyle, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.style_shown = style
        self.opacity = _slider("Opacity of the overlay", style.opacity)
        self.threshold = _slider("Threshold: what counts less is not drawn", style.threshold)
        self.color_map = QComboBox()
        self.color_map.setAccessibleName("Color map")
        self.color_map.setToolTip("Color map")
        self.color_map.addItems(COLOR_MAPS)
        self.color_map.setCurrentText(style.color_map)
        self.method = QComboBox()
        self.method.setAccessibleName("Saliency method")
        self.method.setToolTip("Method that computes the overlay of this kind of target")
        self.method.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.method.setEnabled(False)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 0, 4, 0)
        for text, widget in (
            ("Opacity", self.opacity),
            ("Threshold", self.threshold),
            ("Colors", self.color_map),
            ("Method", self.method),
        ):
            label = QLabel(text)
            label.setBuddy(widget)
            row.addWidget(label)
            row.addWidget(widget)
        self.opacity.valueChanged.connect(lambda value: self._change(opacity=value / 100))
        self.threshold.valueChanged.connect(lambda value: self._change(threshold=value / 100))
        self.color_map.currentTextChanged.connect(lambda name: self._change(color_map=name))
        self.method.activated.connect(lambda row: self.method_chosen.emit(self.method.itemData(row)))

    def set_visible_overlay(self, *, visible: bool) -> None:
        """Draw the overlay or leave it out, all else kept."""
        self._change(visible=visible)

    def change_opacity(self, step: float) -> None:
        self.opacity.setValue(self.opacity.value() + round(100 * step))

    def show_methods(self, methods: tuple[str, ...], chosen: str) -> None:
        """Offer the methods that fit the target on screen."""
        if methods != tuple(self.method.itemData(row) for row in range(self.method.count())):
            self.method.clear()
            for method in methods:
                self.method.addItem(method_title(method), method)
        self.method.setCurrentIndex(self.method.findData(chosen))
        self.method.setEnabled(len(methods) > 1)

    def _change(self, **changes: float | str | bool) -> None:
        self.style_shown = replace(self.style_shown, **changes)  # type: ignore[arg-type]  # each checked by its widget
        self.style_changed.emit(self.style_shown)


def _slider(name: str, value: float) -> QSlider:
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setAccessibleName(name)
    slider.setToolTip(name)
    slider.setRange(0, 100)
    slider.setPageStep(10)
    slider.setValue(round(100 * value))
    slider.setFixedWidth(90)
    return slider
