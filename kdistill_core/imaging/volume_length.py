"""How many bytes a volume's header calls for, counted before SimpleITK reads on.

NIfTI's reader fills what is missing with zeros without a word, and MetaImage's complains on the terminal.
"""

from __future__ import annotations

import math
import struct

# deflate cannot shrink data further than this (zlib's documentation: 1032 to 1).
LARGEST_RATIO = 1032
_META_BYTES = {
    "met_char": 1,
    "met_uchar": 1,
    "met_short": 2,
    "met_ushort": 2,
    "met_int": 4,
    "met_uint": 4,
    "met_float": 4,
    "met_long": 4,
    "met_ulong": 4,
    "met_double": 8,
    "met_long_long": 8,
    "met_ulong_long": 8,
}


def is_complete(head: bytes) -> bool:
    """Whether a MetaImage header has what its reader asks for, on the terminal, before it fails; others pass."""
    if not head.startswith((b"ObjectType", b"NDims")):
        return True
    return all(word in head for word in (b"NDims", b"DimSize", b"ElementType", b"ElementDataFile"))


def least_length(head: bytes, pixels: int) -> int:
    """Return the least number of bytes that a file can have whose header is ``head`` and declares ``pixels``.

    head: the first 4 KiB, unpacked. Returns 0 for a header whose data lie in another file.
    """
    if head[344:347] == b"n+1":
        order = "<" if 1 <= struct.unpack("<h", head[40:42])[0] <= 7 else ">"
        bits, offset = struct.unpack(order + "h", head[72:74])[0], struct.unpack(order + "f", head[108:112])[0]
        return (int(offset) if math.isfinite(offset) else 0) + pixels * int(bits) // 8
    if head[4:7] == b"n+2":
        order = "<" if struct.unpack("<l", head[:4])[0] == 540 else ">"
        bits, offset = struct.unpack(order + "h", head[14:16])[0], struct.unpack(order + "q", head[168:176])[0]
        return int(offset) + pixels * int(bits) // 8
    if head.startswith((b"ObjectType", b"NDims")):
        return _least_meta_length(head, pixels)
    if head.startswith(b"NRRD") and not any(word in head.lower() for word in (b"data file:", b"datafile:")):
        return pixels // LARGEST_RATIO
    return 0


def _least_meta_length(head: bytes, pixels: int) -> int:
    text, marker, _ = head.partition(b"ElementDataFile")
    local = head[len(text) + len(marker) :].split(b"\n", 1)[0].strip(b" =\r") == b"LOCAL"
    if not local:
        return 0
    lines = (line.partition("=") for line in text.decode("latin-1").lower().splitlines())
    fields = {key.strip(): value.strip() for key, _, value in lines}
    if fields.get("compresseddata") == "true":
        size = fields.get("compresseddatasize", "")
        return len(text) + (int(size) if size.isdigit() else pixels // LARGEST_RATIO)
    return len(text) + pixels * _META_BYTES.get(fields.get("elementtype", "").removesuffix("_array"), 1)
