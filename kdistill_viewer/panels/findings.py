"""The 14 findings of the student: how likely each is and what the student calls it. A click asks where it looked."""

from __future__ import annotations

from enum import StrEnum

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

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.records import Finding
from kdistill_viewer.panels.finding_row import FINDING_ROLE, FindingDelegate, spoken

_PRESENCE = (State.POSITIVE, State.UNCERTAIN, State.NEGATIVE, State.BLANK)


class FindingsOrder(StrEnum):
    """How the findings are sorted; thresholds differ, so the likeliest finding need not be a present one."""

    PRESENT = "Present first"
    PROBABILITY = "Likeliest first"
    USUAL = "In the usual order"


class FindingsPanel(QWidget):
    """Lists the findings; ``chosen`` carries the condition that was clicked or confirmed with Enter."""

    chosen = Signal(object)  # Condition
    order_changed = Signal(str)

    def __init__(self, order: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._findings: tuple[Finding, ...] = ()
        self.title = QLabel("Findings of the student")
        self.title.setObjectName("panel-title")
        self.order = QComboBox()
        self.order.setAccessibleName("Order of the findings")
        self.order.addItems([known.value for known in FindingsOrder])
        self.order.setCurrentText(order)  # stays at the first for an order that this version does not know
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
        match FindingsOrder(self.order.currentText()):
            case FindingsOrder.USUAL:
                return sorted(self._findings, key=lambda finding: CONDITIONS.index(finding.condition))
            case FindingsOrder.PROBABILITY:
                return sorted(self._findings, key=_likelihood, reverse=True)
            case FindingsOrder.PRESENT:
                return sorted(
                    self._findings, key=lambda finding: (_PRESENCE.index(finding.state), -_likelihood(finding))
                )

    def _on_order(self, text: str) -> None:
        self.show_findings(self._findings)
        self.order_changed.emit(text)

    def _on_chosen(self, item: QListWidgetItem) -> None:
        self.chosen.emit(item.data(FINDING_ROLE).condition)


def _likelihood(finding: Finding) -> float:
    return -1.0 if finding.probability is None else finding.probability
