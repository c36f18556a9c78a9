"""The 14 findings of the student: how likely each is and what the student calls it. A click asks where it looked."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from kdistill_core.conditions import CONDITIONS, Condition
from kdistill_core.records import Finding
from kdistill_viewer.panels.finding_row import FINDING_ROLE, FindingDelegate, spoken

BY_PROBABILITY = "Likeliest first"
BY_NAME = "In the usual order"


class FindingsPanel(QWidget):
    """Lists the findings; ``chosen`` carries the condition that was clicked or confirmed with Enter."""

    chosen = Signal(object)  # Condition
    order_changed = Signal(bool)  # by probability

    def __init__(self, *, by_probability: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._findings: tuple[Finding, ...] = ()
        self.title = QLabel("Findings of the student")
        self.title.setObjectName("panel-title")
        self.order = QComboBox()
        self.order.setAccessibleName("Order of the findings")
        self.order.addItems([BY_PROBABILITY, BY_NAME])
        self.order.setCurrentText(BY_PROBABILITY if by_probability else BY_NAME)
        self.order.currentTextChanged.connect(self._on_order)
        self.list = QListWidget()
        self.list.setAccessibleName("Findings")
        self.list.setItemDelegate(FindingDelegate(self.list))
        self.list.setMouseTracking(True)
        self.list.setUniformItemSizes(True)
        self.list.itemClicked.connect(self._on_chosen)
        self.list.itemActivated.connect(self._on_chosen)
        head = QHBoxLayout()
        head.addWidget(self.title, stretch=1)
        head.addWidget(self.order)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 6, 6, 0)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self.list)

    def show_findings(self, findings: tuple[Finding, ...]) -> None:
        """Show findings in the chosen order; the selected condition stays selected."""
        self._findings = findings
        selected = self.selected()
        self.list.clear()
        for finding in self._sorted():
            item = QListWidgetItem()
            item.setData(FINDING_ROLE, finding)
            # What a screen reader says; the delegate draws the row itself.
            item.setText(spoken(finding))
            item.setToolTip(spoken(finding))
            self.list.addItem(item)
        self.select(selected)

    def conditions(self) -> tuple[Condition, ...]:
        """The conditions from top to bottom."""
        return tuple(self.list.item(row).data(FINDING_ROLE).condition for row in range(self.list.count()))

    def selected(self) -> Condition | None:
        row = self.list.currentRow()
        return None if row < 0 else self.conditions()[row]

    def select(self, condition: Condition | None) -> None:
        """Mark the row of a condition, or none, without choosing it."""
        self.list.setCurrentRow(-1)
        for row, shown in enumerate(self.conditions()):
            if shown is condition:
                self.list.setCurrentRow(row)

    def preferred_height(self) -> int:
        """The height at which all 14 rows show without scrolling."""
        metrics = self.list.fontMetrics()
        return (metrics.height() + 6) * len(CONDITIONS) + self.order.sizeHint().height() + 20

    def _sorted(self) -> list[Finding]:
        if self.order.currentText() == BY_NAME:
            return sorted(self._findings, key=lambda finding: CONDITIONS.index(finding.condition))
        return sorted(self._findings, key=_likelihood, reverse=True)

    def _on_order(self, text: str) -> None:
        self.show_findings(self._findings)
        self.order_changed.emit(text == BY_PROBABILITY)

    def _on_chosen(self, item: QListWidgetItem) -> None:
        self.chosen.emit(item.data(FINDING_ROLE).condition)


def _likelihood(finding: Finding) -> float:
    return -1.0 if finding.probability is None else finding.probability
