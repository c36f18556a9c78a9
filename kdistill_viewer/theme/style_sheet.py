"""The style sheet: only what a palette cannot say, above all focus rings and quiet borders."""

from __future__ import annotations

import string

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
    """Return the application's style sheet, its colors filled in."""
    colors = {name: value for name, value in vars(tokens).items() if name.isupper() and isinstance(value, str)}
    return _TEMPLATE.substitute(colors)
