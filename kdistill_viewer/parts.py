"""Everything around the image, made after the window was painted for the first time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QToolBar, QToolButton

from kdistill_viewer.actions.catalog import Action, catalog, key_conflicts, with_keys
from kdistill_viewer.actions.commands import WindowCommands
from kdistill_viewer.actions.menus import fill_menus, make_actions
from kdistill_viewer.canvas import COLOR_MAPS, OverlayStyle
from kdistill_viewer.panels.overlay_bar import OverlayBar
from kdistill_viewer.panels.reading import ReadingPanel
from kdistill_viewer.panels.status import StatusBar
from kdistill_viewer.panels.studies import StudiesPanel
from kdistill_viewer.settings import OverlaySettings
from kdistill_viewer.state.notices import Notice, NoticeKind
from kdistill_viewer.theme import icon

if TYPE_CHECKING:
    from kdistill_viewer.main_window import MainWindow

_TOOLS = ("file.open", "file.open-folder", "", "image.fit", "image.actual-size", "image.invert")


@dataclass(frozen=True)
class Parts:
    """What the window holds on to."""

    commands: WindowCommands
    action_table: tuple[Action, ...]
    actions_by_id: dict[str, QAction]
    menus: dict[str, QMenu]
    studies: StudiesPanel
    reading: ReadingPanel
    overlay_bar: OverlayBar
    presets_menu: QMenu
    status: StatusBar


def make_parts(window: MainWindow) -> Parts:
    """Make panels, menus, tool bar and status bar of a window."""
    usual = catalog(commands := WindowCommands(window))
    table = with_keys(usual, window.settings.keys)
    made = make_actions(table, window)
    window.addActions(list(made.values()))
    menus = fill_menus(window.menuBar(), table, made)
    recent = QMenu("Open recent", window)
    menus["File"].insertMenu(made["file.open-demo"], recent)
    menus["Recent"] = recent
    overlay_bar = OverlayBar(_style(window.settings.overlay))
    presets_menu = QMenu(window)
    window.addToolBar(_tool_bar(window, made, presets_menu, overlay_bar))
    status = StatusBar(window.state.jobs)
    window.setStatusBar(status)
    problems = key_conflicts(usual, window.settings.keys)
    if problems:
        advice = f"Change the keys in {window.settings_file.path}."
        window.show_notice(Notice(NoticeKind.INFORMATION, " ".join(problems), advice))
    return Parts(
        commands=commands,
        action_table=table,
        actions_by_id=made,
        menus=menus,
        studies=StudiesPanel(window.state.studies),
        reading=ReadingPanel(window.settings.findings_order),
        overlay_bar=overlay_bar,
        presets_menu=presets_menu,
        status=status,
    )


def _tool_bar(window: MainWindow, made: dict[str, QAction], presets_menu: QMenu, overlay_bar: OverlayBar) -> QToolBar:
    bar = QToolBar("Tools", window)
    bar.setObjectName("tools")
    bar.setMovable(False)
    # A tool bar can usually be hidden from a context menu; this one is the only place of the overlay's controls.
    bar.toggleViewAction().setEnabled(False)
    for action_id in _TOOLS:
        if action_id:
            bar.addAction(made[action_id])
        else:
            bar.addSeparator()
    presets = QToolButton()
    presets.setIcon(icon("window"))
    presets.setToolTip("Window presets (W for the next one)")
    presets.setAccessibleName("Window presets")
    presets.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    presets.setMenu(presets_menu)
    bar.addWidget(presets)
    bar.addSeparator()
    bar.addAction(made["overlay.show"])
    bar.addWidget(overlay_bar)
    return bar


def _style(saved: OverlaySettings | None) -> OverlayStyle:
    """Return the style of the settings; a color map that this version does not have gives way to the usual one."""
    usual = OverlayStyle()
    if saved is None:
        return usual
    return OverlayStyle(
        opacity=min(max(saved.opacity, 0.0), 1.0),
        threshold=min(max(saved.threshold, 0.0), 1.0),
        color_map=saved.color_map if saved.color_map in COLOR_MAPS else usual.color_map,
    )
