"""Puts the theme on an application."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from kdistill_viewer.theme import tokens
from kdistill_viewer.theme.palette import dark_palette
from kdistill_viewer.theme.style_sheet import style_sheet


def apply_theme(app: QApplication) -> None:
    """Make an application dark: style, palette, font size, style sheet. Call it before the first window."""
    app.setStyle("Fusion")
    # Told to the platform too, so that file dialogs and title bars are dark where the system draws them.
    app.styleHints().setColorScheme(Qt.ColorScheme.Dark)
    app.setPalette(dark_palette())
    font = app.font()
    font.setPointSizeF(tokens.FONT_POINTS)
    app.setFont(font)
    app.setStyleSheet(style_sheet())
