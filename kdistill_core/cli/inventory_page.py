"""An inventory for people: tables that fit 80 columns, on a terminal as in a file."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from itertools import groupby

from rich import box
from rich.table import Table

from kdistill_core.cli.console import out
from kdistill_core.conditions import CONDITIONS, State
from kdistill_core.datasets.inventory import Counts, Inventory

_ALL = "all"
_WIDEST = 100
_STATES = (State.POSITIVE, State.NEGATIVE, State.UNCERTAIN, State.BLANK)


def show_inventory(inventory: Inventory) -> None:
    """Write everything but what only programs want: the counts after filters by view and condition."""
    splits = [split.split for split in inventory.as_read.splits]
    _say(f"{inventory.title} ({inventory.name}) in {inventory.root}")
    _say(f"labels: {inventory.label_source}")
    _say(f"splits: {inventory.split_source}")
    _show_parts(inventory)
    _show_splits(inventory.as_read, splits)
    _show_views(inventory.as_read, splits)
    _show_conditions(inventory, splits)
    _show_filters(inventory, splits)
    _show_remarks(inventory)


def _show_parts(inventory: Inventory) -> None:
    table = _table("", "part", "for", words=3)
    for part in inventory.parts:
        state = "found" if part.found else "MISSING" if part.needed else "absent"
        table.add_row(state, part.path, part.purpose)
    _show("Parts", table)


def _show_splits(counts: Counts, splits: Sequence[str]) -> None:
    table = _by_split(splits)
    _add(table, "patients", [split.patients for split in counts.splits], total=counts.patients)
    _add(table, "studies", [split.studies for split in counts.splits])
    _add(table, "images", [split.images for split in counts.splits])
    _add(table, "studies with a report", [split.reports for split in counts.splits])
    _add(table, "with a findings section", [split.findings_sections for split in counts.splits])
    _add(table, "with an impression section", [split.impressions for split in counts.splits])
    _add(table, "boxes and masks on images", [split.regions for split in counts.splits])
    _show("Counts", table)


def _show_views(counts: Counts, splits: Sequence[str]) -> None:
    if not counts.views:
        return
    table = _by_split(splits)
    for view, group in groupby(counts.views, key=lambda count: count.view_position):
        _add(table, view or "(unknown)", [count.images for count in group])
    _show("Images by view", table)


def _show_conditions(inventory: Inventory, splits: Sequence[str]) -> None:
    if not inventory.as_read.conditions:
        out.print("\nNo condition is labeled here.")
        return
    positive = _by_split(splits)
    states = _table("", *(state.value for state in _STATES))
    for condition, group in groupby(inventory.as_read.conditions, key=lambda count: count.condition):
        counts = list(group)
        _add(positive, condition.value, [count.positive for count in counts])
        sums = (
            sum(count.positive for count in counts),
            sum(count.negative for count in counts),
            sum(count.uncertain for count in counts),
            sum(count.blank for count in counts),
        )
        states.add_row(condition.value, *(f"{number:,}" for number in sums))
    _show("Studies in which a condition is positive", positive)
    _show("Studies by what is said of a condition, all splits", states)
    others = [condition.value for condition in CONDITIONS if condition not in inventory.conditions]
    if others:
        _say(f"Not labeled here: {', '.join(others)}.")
    if inventory.unmapped:
        named = ", ".join(f"{label.label} ({label.count:,})" for label in inventory.unmapped)
        _say(f"Labels without a counterpart among the 14: {named}.")


def _show_filters(inventory: Inventory, splits: Sequence[str]) -> None:
    if not inventory.filters:
        return
    table = _by_split(splits, "of")
    before, after = inventory.as_read.splits, inventory.left.splits
    _add(table, "as read", [split.studies for split in before], "studies")
    _add(table, "", [split.images for split in before], "images")
    for name, group in groupby(inventory.filters, key=lambda count: count.filter):
        counts = list(group)
        table.add_section()
        _add(table, name, [-count.studies_left_out for count in counts], "studies")
        _add(table, "", [-count.images_left_out for count in counts], "images")
    table.add_section()
    _add(table, "left", [split.studies for split in after], "studies")
    _add(table, "", [split.images for split in after], "images")
    _show("What filters leave out, one after another", table)
    out.print()
    for sentence in dict.fromkeys(f"{count.filter}: {count.sentence}" for count in inventory.filters):
        _say(sentence, indent=4)


def _show_remarks(inventory: Inventory) -> None:
    if not inventory.remarks:
        out.print("\nNo remarks: everything fits together.")
        return
    out.print("\nRemarks", style="bold")
    for remark in inventory.remarks:
        _say(f"{remark.count:>9,}  {remark.kind}: {remark.text}", indent=11)
        more = ", ..." if remark.count > len(remark.examples) else ""
        _say(f"{'':11}{', '.join(remark.examples)}{more}", indent=11)


def _show(title: str, table: Table) -> None:
    out.print(f"\n{title}", style="bold")
    out.print(table)


def _table(*columns: str, words: int = 1) -> Table:
    """Return an empty table whose first columns hold ``words`` and the others numbers."""
    table = Table(box=box.SIMPLE_HEAD, header_style="", pad_edge=False, show_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number < words else "right")
    return table


def _by_split(splits: Sequence[str], *words: str) -> Table:
    """Return an empty table with a column for each split, and one for all where there are several."""
    names = [split or "no split" for split in splits]
    return _table("", *words, *names, *([_ALL] if len(names) > 1 else []), words=1 + len(words))


def _add(table: Table, title: str, numbers: Iterable[int], *words: str, total: int | None = None) -> None:
    """Add a row of numbers by split; ``total`` where it is not their sum."""
    counts = list(numbers)
    everything = [sum(counts) if total is None else total] if len(counts) > 1 else []
    table.add_row(title, *words, *(f"{number:,}" for number in (*counts, *everything)))


def _say(text: str, indent: int = 0) -> None:
    """Write a sentence, broken into lines of a readable length."""
    width = min(out.width, _WIDEST)
    out.print(textwrap.fill(text, width, subsequent_indent=" " * indent, break_on_hyphens=False), soft_wrap=True)
