from __future__ import annotations

import itertools
import re
import subprocess
import sys
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QIcon, QImage, QPalette

from kdistill_core.resources import ResourceError, resource
from kdistill_viewer.theme import icon, tokens
from kdistill_viewer.theme.palette import dark_palette
from kdistill_viewer.theme.style_sheet import style_sheet

SURFACES = ("CANVAS", "BASE", "WINDOW", "RAISED", "HOVER")
TEXTS = ("TEXT", "TEXT_MUTED", "LINK", "WARNING", "ERROR", "SUCCESS", "STUDENT", "TEACHER", "AGREED")
TEXTS = (*TEXTS, "CONTRADICTED", "ONE_SIDED", "FOCUS")
ICONS = sorted(path.stem for path in resource("icons").glob("*.svg"))


@pytest.fixture(autouse=True)
def nothing_left_behind() -> None:
    """Replace the watch for widgets, timers and threads: none is made here, and it would cost more than the tests."""


def luminance(color: QColor) -> float:
    """Relative luminance of WCAG 2.2."""
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (color.redF(), color.greenF(), color.blueF())
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str | QColor, other: str | QColor) -> float:
    lighter, darker = sorted((luminance(QColor(one)), luminance(QColor(other))), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_formula_gives_the_known_extremes():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # the well-known near miss


@pytest.mark.parametrize(("text", "surface"), list(itertools.product(TEXTS, SURFACES)))
def test_text_reads_on_every_surface(text, surface):
    assert contrast(getattr(tokens, text), getattr(tokens, surface)) >= 4.5


@pytest.mark.parametrize(
    ("text", "surface"),
    [
        ("TEXT_ON_ACCENT", "ACCENT"),
        ("NOTICE_TEXT", "NOTICE_SURFACE"),
        ("ANNOTATION", "ANNOTATION_OUTLINE"),
        ("ANNOTATION_MUTED", "ANNOTATION_OUTLINE"),
        ("TEXT", "PROGRESS"),
        ("TEXT_DISABLED", "WINDOW"),
    ],
)
def test_text_reads_on_its_own_surface(text, surface):
    least = 3.0 if surface == "PROGRESS" else 4.5  # a slider's bar carries no text, only its handle
    assert contrast(getattr(tokens, text), getattr(tokens, surface)) >= least


@pytest.mark.parametrize(("mark", "surface"), list(itertools.product(("FOCUS", "BORDER_STRONG"), SURFACES[:3])))
def test_focus_and_outlines_stand_out(mark, surface):
    assert contrast(getattr(tokens, mark), getattr(tokens, surface)) >= 3


def test_surroundings_of_the_image_are_darker_than_all_chrome():
    assert luminance(QColor(tokens.CANVAS)) < 0.005
    for surface in SURFACES[1:]:
        assert luminance(QColor(tokens.CANVAS)) < luminance(QColor(getattr(tokens, surface))) < 0.05


@pytest.mark.parametrize(
    ("text", "surface"),
    [
        (QPalette.ColorRole.WindowText, QPalette.ColorRole.Window),
        (QPalette.ColorRole.Text, QPalette.ColorRole.Base),
        (QPalette.ColorRole.Text, QPalette.ColorRole.AlternateBase),
        (QPalette.ColorRole.PlaceholderText, QPalette.ColorRole.Base),
        (QPalette.ColorRole.ButtonText, QPalette.ColorRole.Button),
        (QPalette.ColorRole.ToolTipText, QPalette.ColorRole.ToolTipBase),
        (QPalette.ColorRole.HighlightedText, QPalette.ColorRole.Highlight),
        (QPalette.ColorRole.Link, QPalette.ColorRole.Base),
        (QPalette.ColorRole.LinkVisited, QPalette.ColorRole.Window),
    ],
)
def test_palette_reads_wherever_qt_pairs_its_roles(qapp, text, surface):
    palette = dark_palette()
    for group in (QPalette.ColorGroup.Active, QPalette.ColorGroup.Inactive):
        assert contrast(palette.color(group, text), palette.color(group, surface)) >= 4.5


def test_style_sheet_takes_its_colors_from_the_tokens_only():
    named = {value.lower() for name, value in vars(tokens).items() if name.isupper() and isinstance(value, str)}
    used = set(re.findall(r"#[0-9a-fA-F]{3,8}\b", style_sheet()))
    assert used
    assert {color.lower() for color in used} <= named


def test_every_operable_widget_has_a_focus_rule():
    sheet = style_sheet()
    for widget in (
        *("QToolButton", "QPushButton", "QLineEdit", "QListView", "QTreeView", "QTextBrowser", "QTabBar::tab"),
        *("QCheckBox::indicator", "QRadioButton::indicator", "QSlider"),
    ):
        assert re.search(rf"{widget}:focus\b", sheet), widget


def test_theme_is_applied_to_an_application_without_a_complaint():
    """In a process of its own, because a style sheet stays with the application of all other tests."""
    code = (
        "from PySide6.QtWidgets import QApplication, QPushButton\n"
        "from kdistill_viewer.theme import apply_theme, tokens\n"
        "app = QApplication([]); apply_theme(app); button = QPushButton('x'); button.show(); app.processEvents()\n"
        "print(app.palette().window().color().name() == tokens.WINDOW, app.font().pointSizeF())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"QT_QPA_PLATFORM": "offscreen", "PATH": ""},
    )
    assert done.stderr == ""
    assert done.stdout.split() == ["True", str(tokens.FONT_POINTS)]


@pytest.mark.parametrize("name", ICONS)
@pytest.mark.parametrize("size", [16, 24, 48])
def test_icon_draws_something_within_its_box(qapp, name, size):
    image = icon(name).pixmap(QSize(size, size)).toImage().convertToFormat(QImage.Format.Format_ARGB32)
    alpha = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4)[..., 3]
    assert 0.02 < (alpha > 128).mean() < 0.6
    border = np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]])
    assert border.max() < 200


@pytest.mark.parametrize("name", ICONS)
def test_icon_is_self_contained_svg(name):
    root = ET.parse(resource(f"icons/{name}.svg")).getroot()
    assert root.tag.endswith("svg")
    assert root.attrib["viewBox"] == "0 0 24 24"
    assert not root.findall(".//{*}image")


def test_icon_of_a_disabled_action_is_muted(qapp):
    def brightest(mode: QIcon.Mode) -> int:
        image = icon("fit").pixmap(QSize(48, 48), mode).toImage()
        colors = [image.pixelColor(x, y) for x in range(48) for y in range(48)]
        return max(color.value() for color in colors if color.alpha() == 255)

    assert brightest(QIcon.Mode.Disabled) == QColor(tokens.TEXT_DISABLED).value()
    assert brightest(QIcon.Mode.Normal) == QColor(tokens.TEXT).value()


def test_unknown_icon_is_an_error():
    with pytest.raises(ResourceError):
        icon("no-such-icon")


def test_svg_library_is_loaded_with_the_first_painted_icon_only():
    code = (
        "import sys; from PySide6.QtGui import QGuiApplication; from kdistill_viewer.theme import icon\n"
        "app = QGuiApplication([]); fit = icon('fit'); print('PySide6.QtSvg' in sys.modules)\n"
        "fit.pixmap(16, 16); print('PySide6.QtSvg' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"QT_QPA_PLATFORM": "offscreen", "PATH": ""},
    )
    assert done.stdout.split() == ["False", "True"]
