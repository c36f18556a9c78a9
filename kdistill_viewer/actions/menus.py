"""The table of actions as Qt's actions in menus."""

from __future__ import annotations

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar, QWidget

from kdistill_viewer.actions.catalog import MENUS, Action
from kdistill_viewer.theme import icon


def make_actions(actions: tuple[Action, ...], parent: QWidget) -> dict[str, QAction]:
    """Return a QAction for each action, by id; their keys work wherever the focus is in the window."""
    made: dict[str, QAction] = {}
    for action in actions:
        q_action = QAction(action.title, parent)
        q_action.setObjectName(action.id)
        q_action.setShortcuts([QKeySequence(key) for key in action.keys])
        q_action.setCheckable(action.checkable)
        if action.icon:
            q_action.setIcon(icon(action.icon))
        keys = f" ({', '.join(action.keys)})" if action.keys else ""
        q_action.setToolTip(f"{action.title.rstrip('.')}{keys}")
        q_action.triggered.connect(_called(action))
        made[action.id] = q_action
    return made


def fill_menus(menu_bar: QMenuBar, actions: tuple[Action, ...], made: dict[str, QAction]) -> dict[str, QMenu]:
    """Put the actions into their menus, a line between groups; returns the menus by title."""
    menus: dict[str, QMenu] = {}
    for title in MENUS:
        menu = menu_bar.addMenu(f"&{title}")
        menus[title] = menu
        group = 0
        for action in actions:
            if action.menu != title:
                continue
            if action.group != group:
                menu.addSeparator()
                group = action.group
            menu.addAction(made[action.id])
    return menus


def _called(action: Action):  # type: ignore[no-untyped-def]  # noqa: ANN202
    # Qt hands over the new check state, which handlers read from the state they change instead.
    return lambda _checked=False: action.handler()
