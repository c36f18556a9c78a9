"""The handlers of the actions: what each does to the state, the canvas and the files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFileDialog

from kdistill_core.errors import KDistillError
from kdistill_core.resources import resource
from kdistill_viewer.state.notices import Notice, NoticeKind

if TYPE_CHECKING:
    from kdistill_viewer.main_window import MainWindow

_ZOOM_STEP = 1.25
_OPACITY_STEP = 0.1
DEMO_CASE = "cases/effusion.dcm"


class WindowCommands:
    """Carries out the actions on one window."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window
        self._state = window.state

    # Files

    def open_files(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(self._window, "Open files", self._window.settings.last_folder)
        if names:
            self._window.open_paths([Path(name) for name in names])

    def open_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self._window, "Open folder", self._window.settings.last_folder)
        if name:
            self._window.open_paths([Path(name)])

    def open_demo(self) -> None:
        try:
            path = resource(DEMO_CASE)
        except KDistillError as error:
            self._window.show_notice(Notice(NoticeKind.PROBLEM, error.problem, error.advice))
        else:
            self._window.open_paths([path], remember=False)

    def save_explanation(self) -> None:
        case = self._state.session.case
        if case is None or case.explanation is None or case.radiograph is None:
            self._window.show_notice(
                Notice(NoticeKind.INFORMATION, "There is no explanation to save yet.", "Open an image and wait for it.")
            )
            return
        name = QFileDialog.getExistingDirectory(
            self._window, "Folder for the explanation (the patient is not named in it)", ""
        )
        if name:
            self.write_explanation(Path(name))

    def write_explanation(self, folder: Path) -> None:
        """Write the explanation of the case on screen into ``folder``, without the patient, in the background."""
        case = self._state.session.case
        if case is None or case.explanation is None or case.radiograph is None:
            return
        explanation, radiograph = case.explanation, case.radiograph
        maps = self._state.overlays.maps_of(case)

        def write() -> Path:
            # Draws with matplotlib, which takes a second to import.
            from kdistill_core.exchange import explanation_folder

            return explanation_folder.write(explanation, radiograph, maps, folder)

        self._window.run_job(
            "Saving the explanation",
            write,
            lambda path: self._window.show_notice(Notice(NoticeKind.INFORMATION, f"Saved in {path}.")),
        )

    def save_screenshot(self) -> None:
        name, _ = QFileDialog.getSaveFileName(
            self._window, "Save screenshot (it names the patient as the screen does)", "", "PNG image (*.png)"
        )
        if name:
            self.write_screenshot(Path(name).with_suffix(".png"))

    def write_screenshot(self, path: Path) -> None:
        """Write the image as it is on screen, overlay and notice included."""
        if self._window.canvas.to_image().save(str(path)):
            self._window.show_notice(Notice(NoticeKind.INFORMATION, f"Saved as {path}."))
        else:
            self._window.show_notice(
                Notice(NoticeKind.PROBLEM, f"{path} could not be written.", "Choose a folder that you may write to.")
            )

    def close_studies(self) -> None:
        self._state.studies.clear()
        self._state.session.close_cases()

    def clear_recent(self) -> None:
        self._window.settings.recent.clear()
        self._window.save_settings()

    def quit(self) -> None:
        self._window.close()

    # Image

    def next_image(self) -> None:
        self._step(1)

    def previous_image(self) -> None:
        self._step(-1)

    def fit(self) -> None:
        self._window.canvas.fit()

    def actual_size(self) -> None:
        self._window.canvas.actual_size()

    def zoom_in(self) -> None:
        self._window.canvas.zoom_by(_ZOOM_STEP)

    def zoom_out(self) -> None:
        self._window.canvas.zoom_by(1 / _ZOOM_STEP)

    def invert(self) -> None:
        self._window.canvas.set_inverted(self._window.actions_by_id["image.invert"].isChecked())

    def next_preset(self) -> None:
        presets = self._window.presets()
        if presets:
            shown = self._window.canvas.window()
            index = presets.index(shown) + 1 if shown in presets else 0
            self._window.canvas.set_window(presets[index % len(presets)])

    # Overlay

    def toggle_overlay(self) -> None:
        self._window.overlay_bar.set_visible_overlay(visible=self._window.actions_by_id["overlay.show"].isChecked())

    def more_opacity(self) -> None:
        self._window.overlay_bar.change_opacity(_OPACITY_STEP)

    def less_opacity(self) -> None:
        self._window.overlay_bar.change_opacity(-_OPACITY_STEP)

    def clear_overlay(self) -> None:
        self._state.overlays.pin(None)

    # Reading

    def explain(self) -> None:
        self._state.session.explain()

    def cancel(self) -> None:
        self._state.jobs.cancel_current()

    def reveal(self) -> None:
        self._state.session.reveal()

    def toggle_read_first(self) -> None:
        on = self._window.actions_by_id["reading.first"].isChecked()
        self._window.settings.read_first = on
        self._state.session.set_read_first(on=on)
        self._window.save_settings()

    # Help

    def show_keys(self) -> None:
        from kdistill_viewer.panels.dialogs import keys_dialog

        keys_dialog(self._window.action_table, str(self._window.settings_file.path), self._window).open()

    def show_about(self) -> None:
        from kdistill_viewer.panels.dialogs import about_dialog

        about_dialog(self._window.status.models.toolTip(), self._window).open()

    def _step(self, step: int) -> None:
        case = self._state.session.case
        if case is not None:
            image = self._state.studies.neighbor(case.source, step)
            if image is not None:
                self._state.session.open(image.source)
