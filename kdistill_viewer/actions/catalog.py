"""The table of every action. Menus, tool bar, key bindings and the help on keys are made from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol


@dataclass(frozen=True)
class Action:
    """``keys`` are in Qt's portable spelling; a checkable action's handler takes its new state from the window.

    group: actions of one menu with different groups are parted by a line.
    """

    id: str
    title: str
    menu: str
    keys: tuple[str, ...]
    handler: Callable[[], None]
    icon: str = ""
    checkable: bool = False
    group: int = 0


MENUS = ("File", "Image", "Overlay", "Reading", "Help")


class Commands(Protocol):
    """What the reader can ask for; each method is the handler of one action."""

    def open_files(self) -> None: ...
    def open_folder(self) -> None: ...
    def open_demo(self) -> None: ...
    def save_explanation(self) -> None: ...
    def save_screenshot(self) -> None: ...
    def close_studies(self) -> None: ...
    def clear_recent(self) -> None: ...
    def quit(self) -> None: ...
    def next_image(self) -> None: ...
    def previous_image(self) -> None: ...
    def fit(self) -> None: ...
    def actual_size(self) -> None: ...
    def zoom_in(self) -> None: ...
    def zoom_out(self) -> None: ...
    def invert(self) -> None: ...
    def next_preset(self) -> None: ...
    def toggle_overlay(self) -> None: ...
    def more_opacity(self) -> None: ...
    def less_opacity(self) -> None: ...
    def clear_overlay(self) -> None: ...
    def explain(self) -> None: ...
    def cancel(self) -> None: ...
    def reveal(self) -> None: ...
    def toggle_read_first(self) -> None: ...
    def show_keys(self) -> None: ...
    def show_about(self) -> None: ...


def catalog(commands: Commands) -> tuple[Action, ...]:
    """Return every action with its usual keys."""
    c = commands
    return (
        Action("file.open", "Open files...", "File", ("Ctrl+O",), c.open_files, "open-file"),
        Action("file.open-folder", "Open folder...", "File", ("Ctrl+Shift+O",), c.open_folder, "open-folder"),
        Action("file.open-demo", "Open the demo case", "File", (), c.open_demo),
        Action("file.save-explanation", "Save explanation...", "File", ("Ctrl+S",), c.save_explanation, group=1),
        Action("file.save-screenshot", "Save screenshot...", "File", ("Ctrl+Shift+S",), c.save_screenshot, group=1),
        Action("file.close-studies", "Close all studies", "File", ("Ctrl+W",), c.close_studies, group=2),
        Action("file.clear-recent", "Forget recent files", "File", (), c.clear_recent, group=2),
        Action("file.quit", "Quit", "File", ("Ctrl+Q",), c.quit, group=3),
        Action("image.fit", "Fit to the window", "Image", ("F",), c.fit, "fit"),
        Action("image.actual-size", "One to one", "Image", ("1",), c.actual_size, "one-to-one"),
        Action("image.zoom-in", "Zoom in", "Image", ("+", "="), c.zoom_in, "zoom-in"),
        Action("image.zoom-out", "Zoom out", "Image", ("-",), c.zoom_out, "zoom-out"),
        Action("image.invert", "Invert", "Image", ("I",), c.invert, "invert", checkable=True, group=1),
        Action("image.next-preset", "Next window preset", "Image", ("W",), c.next_preset, group=1),
        Action("image.next", "Next image", "Image", ("Ctrl+PgDown",), c.next_image, group=2),
        Action("image.previous", "Previous image", "Image", ("Ctrl+PgUp",), c.previous_image, group=2),
        Action("overlay.show", "Show the overlay", "Overlay", ("O",), c.toggle_overlay, "overlay", checkable=True),
        Action("overlay.more", "More opaque", "Overlay", ("]",), c.more_opacity),
        Action("overlay.less", "Less opaque", "Overlay", ("[",), c.less_opacity),
        Action("overlay.clear", "Take the overlay away", "Overlay", ("Esc",), c.clear_overlay),
        Action("reading.explain", "Ask the student again", "Reading", ("F5",), c.explain, "explain"),
        Action("reading.cancel", "Cancel", "Reading", ("Ctrl+.",), c.cancel, "cancel"),
        Action("reading.reveal", "Show the model's reading", "Reading", ("Ctrl+R",), c.reveal, group=1),
        Action("reading.first", "I read first", "Reading", (), c.toggle_read_first, checkable=True, group=1),
        Action("help.keys", "Keyboard shortcuts", "Help", ("F1",), c.show_keys),
        Action("help.about", "About K-Distill", "Help", (), c.show_about),
    )


def with_keys(actions: tuple[Action, ...], keys: Mapping[str, list[str]]) -> tuple[Action, ...]:
    """Return the actions with the keys of the settings in place of their usual ones."""
    return tuple(replace(action, keys=tuple(keys.get(action.id, action.keys))) for action in actions)


def key_conflicts(actions: tuple[Action, ...], keys: Mapping[str, list[str]]) -> tuple[str, ...]:
    """Return what is wrong with the keys of the settings: unknown actions, and keys that two actions share."""
    known = {action.id for action in actions}
    problems = [f"There is no action called {id_}." for id_ in keys if id_ not in known]
    owners: dict[str, str] = {}
    for action in with_keys(actions, keys):
        for key in action.keys:
            other = owners.setdefault(key.casefold(), action.title)
            if other != action.title:
                problems.append(f"{key} is bound to both {other!r} and {action.title!r}.")
    return tuple(problems)
