"""The index of a pixel store: a log of lines that each carry a checksum of their own.

A line is the CRC-32 of its JSON in eight hexadecimal digits, a blank, and the JSON. What a killed process wrote half,
or a disk garbled, fails its checksum and counts as not written. Later lines win over earlier ones.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import msgspec

from kdistill_core.records import Finding

_DIGITS = 8


class ImageLine(msgspec.Struct, frozen=True, tag="image", array_like=True):
    """An image that is prepared.

    place: its number in the pixel file; checksum: CRC-32 of its pixels; findings: what was learned of the image while
    it was made, the truth of a phantom.
    """

    key: str
    place: int
    checksum: int
    findings: tuple[Finding, ...] = ()


class StruckLine(msgspec.Struct, frozen=True, tag="struck", array_like=True):
    """An image whose pixels were found damaged: to be prepared again."""

    key: str


class FileLine(msgspec.Struct, frozen=True, tag="file", array_like=True):
    """A file whose content is known: its SHA-256 when it had this size and these times (nanoseconds)."""

    path: str
    size: int
    modified: int
    changed: int
    sha256: str


Line = ImageLine | StruckLine | FileLine
_decoder = msgspec.json.Decoder(Line)


def encoded(line: Line) -> bytes:
    """Return ``line`` as it stands in the log, with its line break."""
    body = msgspec.json.encode(line)
    return b"%08x %b\n" % (zlib.crc32(body), body)


def decoded(text: bytes) -> Iterator[Line]:
    """Yield the lines that are whole; what was written half or garbled is passed over, as if never written."""
    for raw in text.split(b"\n"):
        body = raw[_DIGITS + 1 :]
        if not body or raw[:_DIGITS] != b"%08x" % zlib.crc32(body):
            continue
        yield _decoder.decode(body)
