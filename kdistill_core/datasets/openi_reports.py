"""The reports of Open-i (Demner-Fushman et al., JAMIA 2016), from its XML files or from the tabular copy.

Removed identifiers read ``XXXX`` in either form. The table was made from the XML through a spreadsheet program: it
lacks the reports without images, and cells that began with a sign are lost to ``#NAME?``.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from kdistill_core.datasets.contract import DatasetError, Ledger
from kdistill_core.datasets.image_files import image_name
from kdistill_core.tables import TableError, read_rows

_SECTIONS = ("comparison", "indication", "findings", "impression")
# The longest published file has 9 KB.
_LARGEST_REPORT = 1 << 20
_NUMBER = re.compile(r"(\d+)\.xml")
_SPREADSHEET_ERRORS = frozenset({"#NAME?", "#VALUE!", "#REF!", "#DIV/0!", "#N/A"})

UNREADABLE_REPORT = ("unreadable report", "This report is not the XML of one Open-i report; its study is left out.")
_LOST_CELL = (
    "cell lost to a spreadsheet",
    "A section of this report holds a spreadsheet's error in place of its text; it counts as empty.",
)
_STRAY_IMAGE = ("image of an unknown report", "The table of projections names this image, and no report is its own.")


@dataclass(frozen=True)
class OpeniReport:
    """What Open-i says of one study.

    id: such as ``CXR12``. sections: by name, those with a text. images: names without endings, in order, each with its
    projection (``Frontal``, ``Lateral``) where the form says so. mesh_major, mesh_automatic: terms coded by people and
    by program.
    """

    id: str
    sections: Mapping[str, str]
    images: tuple[tuple[str, str], ...]
    mesh_major: tuple[str, ...] = ()
    mesh_automatic: tuple[str, ...] = field(default=())

    @property
    def text(self) -> str:
        """The sections under their headings, in the order of the XML."""
        return "\n".join(f"{name.upper()}: {self.sections[name]}" for name in _SECTIONS if name in self.sections)


def read_xml_reports(place: Path, ledger: Ledger) -> Iterator[OpeniReport]:
    """Yield the reports of a folder ``ecgen-radiology`` or of ``NLMCXR_reports.tgz``, which need not be unpacked.

    Reports come in the order of their file names. One that cannot be read is noted. Raises DatasetError for an archive
    that cannot be read and for an id that occurs twice.
    """
    seen: set[str] = set()
    for name, content in _files_of_folder(place) if place.is_dir() else _files_of_archive(place):
        try:
            report = parse_report(content)
        except ValueError:
            ledger.note(*UNREADABLE_REPORT, case=name)
            continue
        if report.id in seen:
            raise DatasetError(f"{place} holds two reports {report.id}.", "Remove one of the two.")
        seen.add(report.id)
        yield report


def parse_report(content: bytes) -> OpeniReport:
    """Return the report that an XML file holds. Raises ValueError for anything else."""
    try:
        root: Element = fromstring(content)
    except (ParseError, DefusedXmlException) as error:
        raise ValueError(f"not XML: {error}") from error
    ids = [element.get("id", "") for element in root.iter("uId")]
    if len(ids) != 1 or not ids[0]:
        raise ValueError("not one report")
    given = {element.get("Label", "").lower(): _text(element) for element in root.iter("AbstractText")}
    return OpeniReport(
        id=ids[0],
        sections={name: given[name] for name in _SECTIONS if given.get(name)},
        images=tuple((element.get("id", ""), "") for element in root.iter("parentImage")),
        mesh_major=tuple(_text(element) for element in root.findall("./MeSH/major")),
        mesh_automatic=tuple(_text(element) for element in root.findall("./MeSH/automatic")),
    )


def read_tabular_reports(reports: Path, projections: Path, ledger: Ledger) -> Iterator[OpeniReport]:
    """Yield the reports of ``indiana_reports.csv`` with the images of ``indiana_projections.csv``.

    Raises TableError for a table of something else and for a uid that occurs twice.
    """
    images = read_projections(projections)
    lines: dict[str, int] = {}
    for row in read_rows(reports, ("uid", "MeSH", "Problems", *_SECTIONS)):
        uid = row["uid"]
        if uid in lines:
            raise TableError(
                f"{reports}, line {row.line}: the uid {uid} is there already, in line {lines[uid]}.",
                "Remove one of the two rows.",
            )
        lines[uid] = row.line
        sections = {name: row[name] for name in _SECTIONS if row[name]}
        if _SPREADSHEET_ERRORS & set(sections.values()):
            ledger.note(*_LOST_CELL, case=f"CXR{uid}")
        yield OpeniReport(
            id=f"CXR{uid}",
            sections={name: text for name, text in sections.items() if text not in _SPREADSHEET_ERRORS},
            images=tuple(images.pop(uid, ())),
            mesh_major=_terms(row["MeSH"]),
            mesh_automatic=_terms(row["Problems"]),
        )
    for of_unknown in images.values():
        for name, _ in of_unknown:
            ledger.note(*_STRAY_IMAGE, case=name)


def read_projections(path: Path) -> dict[str, list[tuple[str, str]]]:
    """Return the images of each uid of ``indiana_projections.csv`` with their projections. Raises TableError."""
    images: dict[str, list[tuple[str, str]]] = {}
    for row in read_rows(path, ("uid", "filename", "projection")):
        images.setdefault(row["uid"], []).append((image_name(row["filename"]), row["projection"]))
    return images


def _files_of_folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.glob("*.xml")):
        if _NUMBER.fullmatch(path.name):
            yield path.name, path.read_bytes() if path.stat().st_size <= _LARGEST_REPORT else b""


def _files_of_archive(archive: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(archive, "r|gz") as members:
            for member in members:
                name = member.name.rsplit("/", 1)[-1]
                stream = members.extractfile(member) if _NUMBER.fullmatch(name) else None
                if stream is not None:
                    yield name, stream.read() if member.size <= _LARGEST_REPORT else b""
    except (OSError, EOFError, tarfile.TarError) as error:
        raise DatasetError(
            f"The archive {archive} cannot be read ({error}).", "It may be cut off; download it again."
        ) from error


def _text(element: Element) -> str:
    return (element.text or "").strip()


def _terms(cell: str) -> tuple[str, ...]:
    return tuple(term.strip() for term in cell.split(";") if term.strip())
