"""Makes the manual's pictures of the viewer: opens a case in the real window, with the real models, and saves it.

    xvfb-run -s "-screen 0 1600x1000x24" python tools/viewer_screenshots.py --out docs/images

Three pictures: the case as it comes up, the overlay of one word, and the comparison with one sentence pointed at.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from kdistill_core.records import Span, Verdict
from kdistill_viewer.app import build, parse
from kdistill_viewer.main_window import MainWindow
from kdistill_viewer.state.case import Phase


class TooSlowError(Exception):
    """What a picture waits for did not come."""


def wait(application: QApplication, condition: Callable[[], bool], what: str, timeout_s: float) -> None:
    """Let the window work until ``condition`` holds. Raises TooSlowError."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise TooSlowError(f"Waited {timeout_s:.0f} s in vain for {what}.")
        application.processEvents()
        time.sleep(0.01)


class Photographer:
    """Brings the window into a state and saves its picture."""

    def __init__(self, application: QApplication, window: MainWindow, out: Path, timeout_s: float) -> None:
        self.application = application
        self.window = window
        self.out = out
        self.timeout_s = timeout_s

    def until(self, condition: Callable[[], bool], what: str) -> None:
        wait(self.application, condition, what, self.timeout_s)

    def save(self, name: str) -> None:
        # A moment for the last repaint.
        end = time.monotonic() + 0.3
        self.until(lambda: time.monotonic() > end, "the last repaint")
        self.window.grab().save(str(self.out / name))

    def case(self) -> None:
        """The case as it comes up: findings, both rationales, the overlay of the likeliest finding."""
        state = self.window.state
        self.until(lambda: state.session.case is not None, "the image")
        self.until(
            lambda: state.session.case.phase not in (Phase.OPENING, Phase.READY, Phase.EXPLAINING), "the student"
        )
        if state.session.case.phase is not Phase.EXPLAINED:
            raise TooSlowError(f"The case was not explained: {self.window.messages.text()}")
        self._until_overlay()
        self.save("viewer-effusion.png")

    def word(self, word: str) -> None:
        """The overlay of one word of the student."""
        text = self.window.state.session.case.explanation.student.text
        start = text.lower().find(word.lower())
        if start < 0:
            raise TooSlowError(f"The student did not write {word!r}: {text}")
        view = self.window.reading.rationales.student.view
        span = Span(start, start + len(word))
        self._show(view.sentence_of(span) or 0)
        at = view.rectangle_of(span).center()
        QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)
        self._until_overlay()
        self.save("viewer-word-overlay.png")

    def comparison(self) -> None:
        """One sentence of the student pointed at, its match on the teacher's side lit."""
        view = self.window.reading.rationales.student.view
        agreed = [index for index, verdict in view.side.verdicts.items() if verdict is Verdict.AGREED]
        gutter = view.gutter
        sentence = agreed[0] if agreed else 0
        self._show(sentence)
        place = gutter.rectangle(sentence)
        QTest.mouseClick(gutter, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place.center())
        QTest.mouseMove(gutter, place.center() + QPoint(1, 0))
        self._until_overlay()
        self.save("viewer-comparison.png")

    def _show(self, sentence: int) -> None:
        self.window.reading.rationales.student.view.show_sentence(sentence)
        self.application.processEvents()

    def _until_overlay(self) -> None:
        overlays = self.window.state.overlays
        self.until(lambda: not overlays.waiting and overlays.shown is not None, "the overlay")


def main() -> int:
    """Take the pictures; returns 1 when one could not be taken."""
    parser = argparse.ArgumentParser(description="Makes the manual's pictures of the viewer.")
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--image", type=Path, help="the image to open (default: the demo case)")
    parser.add_argument("--word", default="effusion", help="the word whose overlay is shown")
    parser.add_argument("--size", default="1500x940", help="width x height of the window")
    parser.add_argument("--timeout", type=float, default=180.0, help="seconds to wait for each step")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        what = [str(options.image)] if options.image else ["--demo"]
        application, window = build(parse([*what, "--settings", str(Path(folder) / "viewer.json")]))
        window.resize(*(int(side) for side in options.size.split("x")))
        window.show()
        photographer = Photographer(application, window, options.out, options.timeout)
        try:
            photographer.case()
            photographer.word(options.word)
            photographer.comparison()
        except TooSlowError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        finally:
            window.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
