"""Every color of the viewer, in one place. Dark and muted: in a reading room the image is the brightest thing.

Colors are sRGB hexadecimal. Text colors reach a contrast of 4.5 : 1 (WCAG 2.2, success criterion 1.4.3) on every
surface they are used on, focus and selection marks 3 : 1 (1.4.11); a test holds them to it.
"""

from __future__ import annotations

# Surfaces, from the darkest.
CANVAS = "#08090b"  # around the image: near black, yet different from a black image border
BASE = "#121417"  # lists, text
WINDOW = "#191c20"  # panels, tool bars, menus
RAISED = "#23272d"  # buttons, headers, tooltips
HOVER = "#2c323a"
BORDER = "#3a414a"
BORDER_STRONG = "#6b7682"  # the outline of what can be operated

# Text.
TEXT = "#dfe4ea"
TEXT_MUTED = "#a3adb8"
TEXT_DISABLED = "#858f9a"
TEXT_ON_ACCENT = "#ffffff"
LINK = "#7db4f0"

# Accents.
ACCENT = "#2b5f94"  # selection
FOCUS = "#6fb1f5"  # focus ring
PROGRESS = "#3f7fbf"
WARNING = "#f0b429"
ERROR = "#ff8a80"
SUCCESS = "#7cc98f"

# What the two explanations are marked with, and how their sentences stand to each other.
STUDENT = "#7db4f0"
TEACHER = "#d9a4f0"
AGREED = "#7cc98f"
CONTRADICTED = "#ff8a80"
ONE_SIDED = "#f0b429"

# Written over the image.
ANNOTATION = "#eef2f5"
ANNOTATION_MUTED = "#c3ccd4"
ANNOTATION_OUTLINE = "#000000"
NOTICE_TEXT = "#f3c969"
NOTICE_SURFACE = "#1d1a10"

# Fonts, in points; the family is the system's.
FONT_POINTS = 10.0
FONT_POINTS_SMALL = 8.5
