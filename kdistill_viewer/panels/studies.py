"""The left side: what was opened, by patient and study, and what could not be read."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QLabel,
    QListWidget,
    QListWidgetItem,
    QToolButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from kdistill_core.imaging.entries import SkippedFile
from kdistill_core.records import ImageSource, Radiograph
from kdistill_viewer.panels.thumbnail import SIDE, thumbnail
from kdistill_viewer.state.studies import Studies, StudyImage, image_title, patient_title, skipped_line, study_title

_SOURCE_ROLE = int(Qt.ItemDataRole.UserRole)


class StudiesPanel(QWidget):
    """A tree of patient, study and image; ``chosen`` carries the source of the image that was clicked."""

    chosen = Signal(object)  # ImageSource

    def __init__(self, studies: Studies, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = QLabel("Studies")
        self.title.setObjectName("panel-title")
        self.empty = QLabel("Open files or a folder, or drop them anywhere in this window.")
        self.empty.setWordWrap(True)
        self.tree = QTreeWidget()
        self.tree.setAccessibleName("Studies")
        self.tree.setHeaderHidden(True)
        self.tree.setIndentation(14)
        self.tree.setIconSize(QSize(SIDE, SIDE))
        self.tree.currentItemChanged.connect(self._on_current)
        self.skipped_button = QToolButton()
        self.skipped_button.setCheckable(True)
        self.skipped_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.skipped_button.toggled.connect(self._on_skipped_toggled)
        self.skipped_list = QListWidget()
        self.skipped_list.setAccessibleName("Files that could not be read")
        self.skipped_list.setWordWrap(True)
        self.skipped_list.setMaximumHeight(180)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 6, 6, 6)
        column.setSpacing(4)
        for widget in (self.title, self.empty, self.tree, self.skipped_button, self.skipped_list):
            column.addWidget(widget)
        self._patients: dict[tuple[str, str], QTreeWidgetItem] = {}
        self._studies: dict[tuple[str, str, str], QTreeWidgetItem] = {}
        self._images: dict[ImageSource, QTreeWidgetItem] = {}
        studies.images_added.connect(self.add_images)
        studies.skipped_added.connect(self.add_skipped)
        studies.cleared.connect(self.clear)
        self.clear()
        self.add_images(tuple(studies.images))
        self.add_skipped(tuple(studies.skipped))

    def add_images(self, images: tuple[StudyImage, ...]) -> None:
        """List images under their patient and study."""
        for image in images:
            item = QTreeWidgetItem(self._study_item(image), [image_title(image)])
            item.setData(0, _SOURCE_ROLE, image.source)
            item.setToolTip(0, image.source.path)
            self._images[image.source] = item
        if images:
            self.empty.hide()

    def add_skipped(self, skipped: tuple[SkippedFile, ...]) -> None:
        """List files that could not be read, each with its reason."""
        for item in skipped:
            line = QListWidgetItem(skipped_line(item))
            line.setToolTip(item.path)
            self.skipped_list.addItem(line)
        self._show_skipped_count()

    def clear(self) -> None:
        self.tree.clear()
        self._patients.clear()
        self._studies.clear()
        self._images.clear()
        self.skipped_list.clear()
        self.empty.show()
        self.skipped_button.setChecked(False)
        self._on_skipped_toggled(False)
        self._show_skipped_count()

    def select(self, source: ImageSource) -> None:
        """Mark an image without choosing it."""
        item = self._images.get(source)
        if item is not None:
            self.tree.blockSignals(True)
            self.tree.setCurrentItem(item)
            self.tree.blockSignals(False)

    def show_thumbnail(self, radiograph: Radiograph) -> None:
        """Put a small picture beside an image that was read."""
        item = self._images.get(radiograph.source)
        if item is not None and item.icon(0).isNull():
            item.setIcon(0, thumbnail(radiograph))

    def _study_item(self, image: StudyImage) -> QTreeWidgetItem:
        entry = image.entry
        patient_key = (entry.patient.id, entry.patient.name)
        if patient_key not in self._patients:
            self._patients[patient_key] = self._group(self.tree, patient_title(entry.patient))
        study_key = (*patient_key, entry.study_uid or f"{entry.study_date} {entry.study_description}")
        if study_key not in self._studies:
            self._studies[study_key] = self._group(self._patients[patient_key], study_title(entry))
        return self._studies[study_key]

    def _group(self, parent: QTreeWidget | QTreeWidgetItem, title: str) -> QTreeWidgetItem:
        item = QTreeWidgetItem(parent, [title])
        item.setFlags(Qt.ItemFlag.ItemIsEnabled)
        item.setToolTip(0, title)
        item.setExpanded(True)
        return item

    def _on_current(self, item: QTreeWidgetItem | None, _before: QTreeWidgetItem | None) -> None:
        source = None if item is None else item.data(0, _SOURCE_ROLE)
        if source is not None:
            self.chosen.emit(source)

    def _show_skipped_count(self) -> None:
        count = self.skipped_list.count()
        self.skipped_button.setText(f"Could not be read ({count})")
        self.skipped_button.setVisible(count > 0)

    def _on_skipped_toggled(self, shown: bool) -> None:  # noqa: FBT001 - a Qt slot
        self.skipped_button.setArrowType(Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow)
        self.skipped_list.setVisible(shown)
