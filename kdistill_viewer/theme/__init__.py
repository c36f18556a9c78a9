"""The dark theme of the viewer: Fusion, one palette, one style sheet, all colors from :mod:`tokens`."""

from kdistill_viewer.theme.apply import apply_theme
from kdistill_viewer.theme.icons import icon

__all__ = ["apply_theme", "icon"]
