"""Open-i, the Indiana University chest X-rays (Demner-Fushman et al., JAMIA 2016): images with full reports.

Two forms are in use: the publishers' XML files with PNG or DICOM images, and a tabular copy that also says which image
is frontal. Study ids are the same in both. There are no patient ids: every study counts as a patient of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from kdistill_core.condition_table import ConditionTable, states_of
from kdistill_core.conditions import CONDITIONS, State
from kdistill_core.datasets.contract import DataSet, DatasetError, DataSource, Ledger, Part, ReadOptions
from kdistill_core.datasets.image_files import ImageFiles
from kdistill_core.datasets.openi_gold import read_openi_gold
from kdistill_core.datasets.openi_reports import (
    OpeniReport,
    read_projections,
    read_tabular_reports,
    read_xml_reports,
)
from kdistill_core.datasets.remark_kinds import EMPTY_REPORT, EMPTY_VIEW_POSITION, NO_LABELS
from kdistill_core.datasets.splits import split_of
from kdistill_core.records import Finding, Report, Study, StudyImage

_NAME = "openi"
_XML = ("openi-xml", "Open-i reports (XML)")
_CSV = ("openi-csv", "Open-i reports (tables)")
_FOLDER, _ARCHIVE = "ecgen-radiology", "NLMCXR_reports.tgz"
_REPORTS, _PROJECTIONS = "indiana_reports.csv", "indiana_projections.csv"
_GOLD = "openi_gold_14_nih_conditions.csv"
_NO_IMAGES = ("report without images", "No image belongs to this report.")
# One study's images repeat its number: CXR1_1_IM-0001-4001.
_PREFIX = re.compile(r"^CXR(?:\d+_(?=\d+_IM))?")


@dataclass(frozen=True)
class _Files:
    """Where images and labels are, and whether texts are wanted. read: starts reading the reports."""

    root: Path
    read: Callable[[Ledger], Iterator[OpeniReport]]
    gold: ConditionTable | None
    reports: bool


def _xml_reports(root: Path) -> Path | None:
    """Return the folder of XML files (``root`` itself, where it is that folder) or the archive that holds them."""
    if root.resolve().name == _FOLDER:
        return root
    folder, archive = root / _FOLDER, root / _ARCHIVE
    return folder if folder.is_dir() else archive if archive.is_file() else None


def _open_xml(root: Path, options: ReadOptions) -> DataSet:
    reports = _xml_reports(root)
    if reports is None:
        raise DatasetError(f"{root} holds neither {_FOLDER} nor {_ARCHIVE}.", "Put the reports there.")
    projections = root / _PROJECTIONS if (root / _PROJECTIONS).is_file() else None
    parts = (
        Part(f"{_FOLDER} or {_ARCHIVE}", "reports, one XML file each", found=reports),
        Part(_PROJECTIONS, "views, which the XML does not say", needed=False, found=projections),
    )
    return _open(_XML, root, options, parts, partial(_xml_reports_with_views, reports, projections))


def _open_csv(root: Path, options: ReadOptions) -> DataSet:
    reports, projections = root / _REPORTS, root / _PROJECTIONS
    missing = [table.name for table in (reports, projections) if not table.is_file()]
    if missing:
        raise DatasetError(f"{root} holds no {missing[0]}.", "Put both tables of the tabular copy there.")
    parts = (Part(_REPORTS, "reports", found=reports), Part(_PROJECTIONS, "images and views", found=projections))
    return _open(_CSV, root, options, parts, partial(read_tabular_reports, reports, projections))


def _open(
    source: tuple[str, str],
    root: Path,
    options: ReadOptions,
    parts: tuple[Part, ...],
    read: Callable[[Ledger], Iterator[OpeniReport]],
) -> DataSet:
    table = root / _GOLD
    if options.labels not in {"", "gold"}:
        raise DatasetError(f"Open-i has no label set {options.labels!r}.", "Choose gold, or none.")
    if options.labels and not table.is_file():
        raise DatasetError(f"{root} holds no {_GOLD}.", "Put the gold labels beside the reports, or ask for none.")
    gold = read_openi_gold(table) if table.is_file() else None
    images = next((path for name in ("NLMCXR_png", "NLMCXR_dcm", "images") if (path := root / name).is_dir()), None)
    name, title = source
    return DataSet(
        name=name,
        title=title,
        root=root,
        parts=(
            *parts,
            Part("NLMCXR_png, NLMCXR_dcm or images", "images", needed=False, found=images),
            Part(_GOLD, "gold labels", needed=False, found=table if gold else None),
        ),
        conditions=gold.conditions if gold else (),
        label_source="coded from MeSH terms by NCBI, as they are: what one implies is not added"
        if gold
        else f"no labels: {_GOLD} is not there",
        splits="by a hash of the study: 72 % train, 10 % validation, 18 % test; no patient ids are published",
        iterate=partial(_iterate, _Files(root, read, gold, options.reports)),
    )


def _xml_reports_with_views(place: Path, projections: Path | None, ledger: Ledger) -> Iterator[OpeniReport]:
    listed = read_projections(projections) if projections else {}
    views = {_plain(name): view for images in listed.values() for name, view in images}
    for report in read_xml_reports(place, ledger):
        yield replace(report, images=tuple((name, views.get(_plain(name), "")) for name, _ in report.images))


def _iterate(place: _Files, ledger: Ledger) -> Iterator[Study]:
    files = ImageFiles((place.root,))
    findings = _gold_findings(place.gold) if place.gold else {}
    for report in place.read(ledger):
        if not report.images:
            ledger.note(*_NO_IMAGES, case=report.id)
        if not report.sections and place.reports:
            ledger.note(*EMPTY_REPORT, case=report.id)
        if place.gold and report.id not in findings:
            ledger.note(*NO_LABELS, case=report.id)
        yield Study(
            id=report.id,
            images=tuple(_image(image, view, place.root, files, ledger) for image, view in report.images),
            report=Report(report.text, dict(report.sections)) if place.reports else None,
            findings=findings.get(report.id, ()),
            split=split_of(_NAME, report.id).value,
        )
    files.note_unlisted(ledger)


def _image(name: str, view: str, root: Path, files: ImageFiles, ledger: Ledger) -> StudyImage:
    if not view:
        ledger.note(*EMPTY_VIEW_POSITION, case=name)
    # The XML, its PNG files, its DICOM files and the tabular copy write the same name in four ways.
    plain = _plain(name)
    others = (plain, f"CXR{plain}", f"CXR{plain.split('_')[0]}_{plain}")
    return StudyImage(name, files.source(name, root / "NLMCXR_png" / f"{name}.png", ledger, *others), view.upper())


def _plain(name: str) -> str:
    """Return an image's name as the tabular copy has it."""
    return _PREFIX.sub("", name)


def _gold_findings(gold: ConditionTable) -> dict[str, tuple[Finding, ...]]:
    """Return the labels as they were coded: what one condition implies of another is not added to a gold standard."""
    found = {}
    for row, name in enumerate(gold.ids):
        states = states_of(gold, row)
        found[name] = tuple(Finding(condition, states.get(condition, State.BLANK)) for condition in CONDITIONS)
    return found


def _is_csv(root: Path) -> bool:
    return (root / _REPORTS).is_file() and (root / _PROJECTIONS).is_file()


def _is_xml(root: Path) -> bool:
    return _xml_reports(root) is not None


SOURCES = (
    DataSource(*_XML, _is_xml, _open_xml, f"{_FOLDER}/ or {_ARCHIVE}"),
    DataSource(*_CSV, _is_csv, _open_csv, f"{_REPORTS} and {_PROJECTIONS}"),
)
