"""Start-up: the command line, then a painted window, then everything else."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from kdistill_viewer.main_window import MainWindow
    from kdistill_viewer.state.app_state import Services


def main(argv: list[str] | None = None) -> int:
    """Run the viewer; returns its exit code."""
    options = parse(argv)
    reason = why_no_window()
    if reason:
        sys.stderr.write(f"{reason}\n")
        return 1
    application, window = build(options)
    from kdistill_viewer.faults import report_faults

    report_faults(window.state.background.post, window.show_notice)
    # Ctrl+C in the terminal ends the program; Qt's loop would never let Python see it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    window.show()
    return application.exec()


def why_no_window() -> str:
    """Return why no window can be opened here and what to do, empty where one can be.

    Qt itself would end the process without a word to be understood.
    """
    try:
        import PySide6.QtWidgets  # noqa: F401 - its libraries are what is tried
    except ImportError as error:
        return (
            f"Qt cannot be loaded ({error}). On Debian and Ubuntu: sudo apt-get install libegl1 libgl1 libglib2.0-0 "
            "libxkbcommon0 libfontconfig1 libdbus-1-3"
        )
    display = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))
    if sys.platform.startswith("linux") and not display:
        return "There is no display to open a window on. Without one, use: kdistill explain INPUT --out DIR"
    return ""


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line; exits with code 2 on wrong usage."""
    parser = argparse.ArgumentParser(
        prog="kdistill-viewer",
        description="Read a chest radiograph beside what the student says of it and what its teacher would say. "
        "Research software, not a medical device. Not for diagnosis.",
    )
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="files, folders or a DICOMDIR to open")
    parser.add_argument("--demo", action="store_true", help="open the bundled demo case")
    parser.add_argument("--model", type=Path, metavar="DIR", help="folder of the student (default: the bundled one)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps (default: auto)")
    parser.add_argument("--settings", type=Path, metavar="FILE", help="use another settings file")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    return parser.parse_args(argv)


def build(options: argparse.Namespace, services: Services | None = None) -> tuple[QApplication, MainWindow]:
    """Make the application and its window, not shown yet; ``services`` replaces the worker and the file readers."""
    from PySide6.QtWidgets import QApplication

    from kdistill_viewer.main_window import MainWindow
    from kdistill_viewer.qt_post import QtPost
    from kdistill_viewer.settings import SettingsFile, settings_path
    from kdistill_viewer.state.app_state import AppState, real_services
    from kdistill_viewer.state.engine_link import ModelChoice
    from kdistill_viewer.theme import apply_theme

    application = QApplication.instance()
    if not isinstance(application, QApplication):
        application = QApplication(sys.argv[:1])
        apply_theme(application)
    application.setApplicationName("kdistill-viewer")
    application.setApplicationDisplayName("K-Distill")
    models = ModelChoice(student=str(options.model) if options.model else None, device=options.device)
    post = QtPost()
    state = AppState(services or real_services(), post, models)
    settings_file = SettingsFile(options.settings or settings_path())
    window = MainWindow(state, settings_file.load(), settings_file)
    post.setParent(window)
    window.ready.connect(lambda: _open(window, options))
    return application, window


def _open(window: MainWindow, options: argparse.Namespace) -> None:
    if options.paths:
        window.open_paths(options.paths)
    elif options.demo:
        window.commands.open_demo()


class _Version(argparse.Action):
    """Prints the version; looked up only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib import metadata

        sys.stdout.write(f"kdistill-viewer {metadata.version('kdistill')}\n")
        parser.exit()
