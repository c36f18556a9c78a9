"""The tokens as a QPalette, so that widgets without a style sheet rule are dark too."""

from __future__ import annotations

from PySide6.QtGui import QColor, QPalette

from kdistill_viewer.theme import tokens

_ROLES = {
    QPalette.ColorRole.Window: tokens.WINDOW,
    QPalette.ColorRole.WindowText: tokens.TEXT,
    QPalette.ColorRole.Base: tokens.BASE,
    QPalette.ColorRole.AlternateBase: tokens.WINDOW,
    QPalette.ColorRole.Text: tokens.TEXT,
    QPalette.ColorRole.PlaceholderText: tokens.TEXT_MUTED,
    QPalette.ColorRole.Button: tokens.RAISED,
    QPalette.ColorRole.ButtonText: tokens.TEXT,
    QPalette.ColorRole.BrightText: tokens.ERROR,
    QPalette.ColorRole.ToolTipBase: tokens.RAISED,
    QPalette.ColorRole.ToolTipText: tokens.TEXT,
    QPalette.ColorRole.Highlight: tokens.ACCENT,
    QPalette.ColorRole.HighlightedText: tokens.TEXT_ON_ACCENT,
    QPalette.ColorRole.Accent: tokens.FOCUS,
    QPalette.ColorRole.Link: tokens.LINK,
    QPalette.ColorRole.LinkVisited: tokens.LINK,
    QPalette.ColorRole.Light: tokens.BORDER,
    QPalette.ColorRole.Midlight: tokens.HOVER,
    QPalette.ColorRole.Mid: tokens.BORDER,
    QPalette.ColorRole.Dark: tokens.BASE,
    QPalette.ColorRole.Shadow: tokens.CANVAS,
}
_DISABLED_TEXT = (
    QPalette.ColorRole.WindowText,
    QPalette.ColorRole.Text,
    QPalette.ColorRole.ButtonText,
    QPalette.ColorRole.HighlightedText,
    QPalette.ColorRole.PlaceholderText,
    QPalette.ColorRole.Link,
)


def dark_palette() -> QPalette:
    """Return the palette of the theme."""
    palette = QPalette()
    for role, color in _ROLES.items():
        palette.setColor(role, QColor(color))
    for role in _DISABLED_TEXT:
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(tokens.TEXT_DISABLED))
    palette.setColor(QPalette.ColorGroup.Disabled, QPalette.ColorRole.Highlight, QColor(tokens.HOVER))
    return palette
