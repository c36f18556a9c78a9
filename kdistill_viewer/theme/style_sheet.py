"""The style sheet: only what a palette cannot say, above all focus rings and quiet borders."""

from __future__ import annotations

import string

from kdistill_core.resources import resource
from kdistill_viewer.theme import tokens

_TEMPLATE = string.Template(
    """
QToolTip { background: $RAISED; color: $TEXT; border: 1px solid $BORDER_STRONG; padding: 3px 5px; }

QMainWindow::separator { background: $WINDOW; width: 5px; height: 5px; }
QMainWindow::separator:hover { background: $FOCUS; }
QSplitter::handle { background: $WINDOW; }
QSplitter::handle:hover { background: $FOCUS; }

QDockWidget { color: $TEXT_MUTED; }
QDockWidget::title { background: $WINDOW; padding: 5px 6px; border-bottom: 1px solid $BORDER; }

QMenuBar { background: $WINDOW; }
QMenuBar::item { padding: 4px 9px; background: transparent; }
QMenuBar::item:selected { background: $ACCENT; color: $TEXT_ON_ACCENT; }
QMenu { background: $WINDOW; border: 1px solid $BORDER; padding: 3px; }
QMenu::item { padding: 5px 24px 5px 22px; }
QMenu::item:selected { background: $ACCENT; color: $TEXT_ON_ACCENT; }
QMenu::item:disabled { color: $TEXT_DISABLED; }
QMenu::separator { height: 1px; background: $BORDER; margin: 4px 6px; }

QToolBar { background: $WINDOW; border: none; border-bottom: 1px solid $BORDER; spacing: 2px; padding: 2px; }
QToolBar::separator { background: $BORDER; width: 1px; margin: 4px; }
QToolButton { background: transparent; border: 2px solid transparent; border-radius: 4px; padding: 3px; }
QToolButton:hover { background: $HOVER; }
QToolButton:checked { background: $ACCENT; color: $TEXT_ON_ACCENT; }
QToolButton:pressed { background: $BASE; }
QToolButton:focus { border-color: $FOCUS; }

QPushButton { background: $RAISED; border: 1px solid $BORDER_STRONG; border-radius: 4px; padding: 4px 12px; }
QPushButton:hover { background: $HOVER; }
QPushButton:pressed, QPushButton:checked { background: $ACCENT; color: $TEXT_ON_ACCENT; }
QPushButton:focus { border: 2px solid $FOCUS; padding: 3px 11px; }
QPushButton:disabled { color: $TEXT_DISABLED; border-color: $BORDER; }

QLineEdit, QPlainTextEdit, QTextEdit, QTextBrowser, QListView, QTreeView, QTableView {
    background: $BASE; border: 1px solid $BORDER; border-radius: 3px;
    selection-background-color: $ACCENT; selection-color: $TEXT_ON_ACCENT;
}
QLineEdit { padding: 3px 5px; border-color: $BORDER_STRONG; }
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QTextBrowser:focus,
QListView:focus, QTreeView:focus, QTableView:focus { border: 1px solid $FOCUS; }
QListView::item, QTreeView::item { padding: 2px; }
QListView::item:hover, QTreeView::item:hover { background: $HOVER; }
QListView::item:selected, QTreeView::item:selected, QTableView::item:selected {
    background: $ACCENT; color: $TEXT_ON_ACCENT;
}
QHeaderView::section {
    background: $RAISED; color: $TEXT_MUTED; border: none; border-right: 1px solid $BORDER; padding: 4px 6px;
}

QCheckBox, QRadioButton { spacing: 6px; }
QCheckBox::indicator, QRadioButton::indicator {
    width: 13px; height: 13px; background: $BASE; border: 1px solid $BORDER_STRONG; border-radius: 3px;
}
QRadioButton::indicator { border-radius: 7px; }
QCheckBox::indicator:checked { background: $ACCENT; border-color: $FOCUS; image: url("$CHECK"); }
QRadioButton::indicator:checked {
    border-color: $FOCUS;
    background: qradialgradient(cx: 0.5, cy: 0.5, radius: 0.5, fx: 0.5, fy: 0.5,
        stop: 0 $TEXT_ON_ACCENT, stop: 0.45 $TEXT_ON_ACCENT, stop: 0.55 $ACCENT, stop: 1 $ACCENT);
}
QCheckBox::indicator:focus, QRadioButton::indicator:focus { border: 2px solid $FOCUS; width: 11px; height: 11px; }
QCheckBox::indicator:disabled, QRadioButton::indicator:disabled { border-color: $BORDER; background: $WINDOW; }

QSlider::groove:horizontal { height: 4px; background: $BORDER_STRONG; border-radius: 2px; }
QSlider::sub-page:horizontal { background: $PROGRESS; border-radius: 2px; }
QSlider::handle:horizontal {
    width: 12px; height: 12px; margin: -6px 0; background: $TEXT_MUTED; border: 2px solid $RAISED; border-radius: 8px;
}
QSlider::handle:horizontal:hover { background: $TEXT; }
QSlider:focus::handle:horizontal, QSlider::handle:horizontal:focus { border-color: $FOCUS; }
QSlider::handle:horizontal:disabled, QSlider::sub-page:horizontal:disabled { background: $BORDER; }

QTabBar::tab { background: $WINDOW; color: $TEXT_MUTED; padding: 5px 12px; border-bottom: 2px solid transparent; }
QTabBar::tab:selected { color: $TEXT; border-bottom: 2px solid $FOCUS; }
QTabBar::tab:focus { background: $HOVER; }
QTabWidget::pane { border: 1px solid $BORDER; }

QProgressBar { background: $BASE; border: 1px solid $BORDER; border-radius: 3px; text-align: center; }
QProgressBar::chunk { background: $ACCENT; }

QStatusBar { background: $WINDOW; color: $TEXT_MUTED; }
QStatusBar::item { border: none; }

QScrollBar:vertical { background: $BASE; width: 11px; margin: 0; }
QScrollBar:horizontal { background: $BASE; height: 11px; margin: 0; }
QScrollBar::handle { background: $BORDER_STRONG; border-radius: 4px; margin: 1px; }
QScrollBar::handle:vertical { min-height: 28px; }
QScrollBar::handle:horizontal { min-width: 28px; }
QScrollBar::handle:hover { background: $TEXT_MUTED; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
"""
)


def style_sheet() -> str:
    """Return the application's style sheet, its colors filled in. Raises ResourceError if the icons are missing."""
    colors = {name: value for name, value in vars(tokens).items() if name.isupper() and isinstance(value, str)}
    return _TEMPLATE.substitute(colors, CHECK=resource("icons/check.svg").as_posix())
