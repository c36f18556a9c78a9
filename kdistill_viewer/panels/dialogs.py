"""The dialogs of the Help menu."""

from __future__ import annotations

import platform
from importlib import metadata

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from kdistill_viewer.actions.catalog import Action
from kdistill_viewer.panels.banner import NOTICE

# Asked of the installed packages' metadata, so that nothing heavy is imported to tell its version.
_PACKAGES = ("PySide6_Essentials", "numpy", "pydicom", "torch", "transformers", "captum")


def keys_dialog(actions: tuple[Action, ...], settings_file: str, parent: QWidget) -> QDialog:
    """Return a dialog that lists every action with its keys."""
    dialog, column = _dialog("Keyboard shortcuts", parent)
    table = QTableWidget(len(actions), 4)
    table.setHorizontalHeaderLabels(["Menu", "Action", "Keys", "Id"])
    table.verticalHeader().hide()
    table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
    for row, action in enumerate(actions):
        keys = ", ".join(QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText) for key in action.keys)
        for place, text in enumerate((action.menu, action.title.rstrip("."), keys, action.id)):
            table.setItem(row, place, QTableWidgetItem(text))
    table.resizeColumnsToContents()
    table.horizontalHeader().setStretchLastSection(True)
    mouse = QLabel(
        "On the image: left drag changes the window, middle drag moves, wheel or right drag zooms, "
        "double click fits.\nIn a rationale: Up and Down walk through sentences, Left and Right through words, "
        f"Enter shows the overlay.\nOther keys can be set under \N{LEFT DOUBLE QUOTATION MARK}keys"
        f"\N{RIGHT DOUBLE QUOTATION MARK} in {settings_file}, by the id in the last column."
    )
    mouse.setWordWrap(True)
    column.addWidget(table)
    column.addWidget(mouse)
    _add_close(dialog, column)
    dialog.resize(620, 640)
    return dialog


def about_dialog(models: str, parent: QWidget) -> QDialog:
    """Return a dialog with the versions of the program, of what it stands on, and the models in use."""
    dialog, column = _dialog("About K-Distill", parent)
    lines = [f"K-Distill {version('kdistill')}", "", NOTICE, "", models, ""]
    lines += [f"Python {platform.python_version()}, {platform.system()} {platform.release()}"]
    lines += [f"{package.replace('_', ' ')} {version(package)}" for package in _PACKAGES]
    text = QLabel("\n".join(lines))
    text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    column.addWidget(text)
    _add_close(dialog, column)
    return dialog


def version(package: str) -> str:
    """Return the version of an installed package."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "(not installed)"


def _dialog(title: str, parent: QWidget) -> tuple[QDialog, QVBoxLayout]:
    dialog = QDialog(parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setWindowTitle(title)
    return dialog, QVBoxLayout(dialog)


def _add_close(dialog: QDialog, column: QVBoxLayout) -> None:
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.reject)
    column.addWidget(buttons)
