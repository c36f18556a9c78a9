"""What the parts of the window do to each other: state to panels, panels to state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kdistill_core.imaging.entries import SkippedFile
from kdistill_core.records import SaliencyMap, SaliencyTarget, TargetKind
from kdistill_viewer.canvas import CanvasError, OverlayStyle, PointerReading
from kdistill_viewer.settings import OverlaySettings
from kdistill_viewer.state.case import Case, Phase, condition_target, target_title
from kdistill_viewer.state.notices import Notice, NoticeKind
from kdistill_viewer.state.studies import StudyImage, skipped_line

if TYPE_CHECKING:
    from kdistill_viewer.main_window import MainWindow


def connect(window: MainWindow) -> None:
    """Connect the parts of a complete window, and show what the state already holds."""
    _Images(window).connect()
    _Readings(window).connect()
    _OverlayWiring(window).connect()
    _Menus(window).connect()
    session = window.state.session
    session.set_read_first(on=window.settings.read_first)
    window.action("reading.first").setChecked(window.settings.read_first)
    session.notice.connect(window.show_notice)
    session.notices_outdated.connect(window.messages.clear)
    window.state.overlays.notice.connect(window.show_notice)
    window.state.engine.loaded.connect(window.status.show_models)


class _Images:
    """Files, the list of studies, and the image on the canvas."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window
        self._state = window.state

    def connect(self) -> None:
        window, studies, session = self._window, self._state.studies, self._state.session
        window.canvas.files_dropped.connect(window.open_paths)
        window.canvas.pointer_moved.connect(self._show_pointer)
        window.canvas.inverted_changed.connect(window.action("image.invert").setChecked)
        window.studies.chosen.connect(session.open)
        studies.opened.connect(self._open_first)
        studies.nothing_found.connect(self._tell_nothing_found)
        session.case_changed.connect(self._on_case)
        session.radiograph_ready.connect(self._on_radiograph)
        session.phase_changed.connect(self._on_phase)

    def _open_first(self, image: StudyImage) -> None:
        self._window.studies.select(image.source)
        self._state.session.open(image.source)

    def _tell_nothing_found(self, skipped: tuple[SkippedFile, ...]) -> None:
        if len(skipped) == 1:
            notice = Notice(NoticeKind.PROBLEM, skipped_line(skipped[0]))
        elif skipped:
            problem = f"None of the {len(skipped)} files could be opened."
            notice = Notice(NoticeKind.PROBLEM, problem, "The list on the left says why.")
        else:
            notice = Notice(NoticeKind.INFORMATION, "There is no image in what you opened.")
        self._window.show_notice(notice)

    def _on_case(self, case: Case | None) -> None:
        self._window.canvas.show_radiograph(None)
        if case is None:
            self._window.canvas.set_message("No image open", "Open a file or a folder, or drop one here.")
        else:
            self._window.studies.select(case.source)
            self._window.canvas.set_message("Reading the image\N{HORIZONTAL ELLIPSIS}")

    def _on_radiograph(self, case: Case) -> None:
        self._window.canvas.show_radiograph(case.radiograph)
        if case.radiograph is not None:
            self._window.studies.show_thumbnail(case.radiograph)

    def _on_phase(self, case: Case) -> None:
        if case is self._state.session.case and case.phase is Phase.UNREADABLE:
            self._window.canvas.set_message(case.problem, case.advice)

    def _show_pointer(self, reading: PointerReading | None) -> None:
        text = "" if reading is None else f"x {reading.x}  y {reading.y}  value {reading.value:g}"
        self._window.status.reading.setText(text)


class _Readings:
    """What the student and the teacher say."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window
        self._state = window.state

    def connect(self) -> None:
        session, reading = self._state.session, self._window.reading
        session.case_changed.connect(reading.show_case)
        session.phase_changed.connect(self._if_shown(reading.show_case))
        session.findings_ready.connect(self._if_shown(reading.show_case))
        session.text_streamed.connect(self._if_shown(reading.show_text))
        reading.revealed.connect(session.reveal)
        reading.explain_asked.connect(session.explain)
        reading.findings.order_changed.connect(self._keep_order)

    def _if_shown(self, show: Callable[[Case], None]) -> Callable[[Case], None]:
        def shown(case: Case) -> None:
            if case is self._state.session.case:
                show(case)

        return shown

    def _keep_order(self, order: str) -> None:
        self._window.settings.findings_order = order


class _OverlayWiring:
    """Which overlay is shown and how."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window
        self._state = window.state

    def connect(self) -> None:
        window, overlays = self._window, self._state.overlays
        reading, bar = window.reading, window.overlay_bar
        reading.findings.chosen.connect(lambda condition: overlays.pin(condition_target(condition)))
        reading.rationales.pinned.connect(overlays.pin)
        reading.rationales.previewed.connect(overlays.preview)
        overlays.map_changed.connect(self._show_map)
        overlays.targets_changed.connect(self._show_targets)
        overlays.methods_changed.connect(lambda: bar.show_methods(overlays.methods(), overlays.method()))
        self._state.session.phase_changed.connect(lambda _case: self._show_map(overlays.shown))
        bar.method_chosen.connect(overlays.choose_method)
        bar.style_changed.connect(self._use_style)
        self._use_style(bar.style_shown)

    def _show_map(self, values: SaliencyMap | None) -> None:
        case = self._state.session.case
        if values is None or case is None or case.radiograph is None or not case.revealed:
            self._window.canvas.set_overlay(None)
            return
        try:
            self._window.canvas.set_overlay(values, self._words(values.target, case))
        except CanvasError as error:
            self._window.canvas.set_overlay(None)
            self._window.show_notice(Notice(NoticeKind.PROBLEM, error.problem, error.advice))

    def _words(self, target: SaliencyTarget, case: Case) -> str:
        return "" if target.kind is TargetKind.CONDITION else target_title(target, case.text)

    def _show_targets(self) -> None:
        overlays, reading = self._state.overlays, self._window.reading
        pinned = overlays.pinned
        condition = pinned.condition if pinned is not None and pinned.kind is TargetKind.CONDITION else None
        reading.findings.select(condition)
        reading.rationales.set_pinned(pinned)
        self._window.canvas.set_busy("Computing the overlay" if overlays.waiting else None)

    def _use_style(self, style: OverlayStyle) -> None:
        self._window.canvas.set_overlay_style(style)
        self._window.action("overlay.show").setChecked(style.visible)
        self._window.settings.overlay = OverlaySettings(style.opacity, style.threshold, style.color_map)


class _Menus:
    """Menus that depend on what is open."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window

    def connect(self) -> None:
        self._window.presets_menu.aboutToShow.connect(self._fill_presets)
        self._window.menus["Recent"].aboutToShow.connect(self._fill_recent)

    def _fill_presets(self) -> None:
        menu = self._window.presets_menu
        menu.clear()
        for preset in self._window.presets():
            name = preset.name or "Window"
            action = menu.addAction(f"{name}  (center {preset.center:g}, width {preset.width:g})")
            action.setCheckable(True)
            action.setChecked(preset == self._window.canvas.window())
            action.triggered.connect(lambda _checked=False, chosen=preset: self._window.canvas.set_window(chosen))
        menu.setEnabled(True)
        if menu.isEmpty():
            menu.addAction("No image open").setEnabled(False)

    def _fill_recent(self) -> None:
        menu = self._window.menus["Recent"]
        menu.clear()
        for text in self._window.settings.recent:
            action = menu.addAction(text.replace("&", "&&"))
            action.triggered.connect(lambda _checked=False, path=text: self._window.open_paths([Path(path)]))
        if menu.isEmpty():
            menu.addAction("Nothing opened yet").setEnabled(False)
        else:
            menu.addSeparator()
            menu.addAction(self._window.action("file.clear-recent"))
