"""The size a compressed frame declares of itself, read before a decoder takes memory for it.

A JPEG or JPEG 2000 codestream carries its own rows and columns, and decoders believe those rather than the DICOM
header's. ITU-T T.81 B.2.2 (JPEG), T.87 C.2 (JPEG-LS), T.800 A.5.1 (JPEG 2000).
"""

from __future__ import annotations

import struct

_JPEG_2000_START = b"\xff\x4f\xff\x51"
_JPEG_START = b"\xff\xd8"
# Start-of-frame markers: C0 to CF without C4 (Huffman tables), C8 (reserved) and CC (arithmetic coding); F7 is LS.
_START_OF_FRAME = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
_MAXIMUM_TILES = 65535


def declared_size(frame: bytes) -> tuple[int, int] | None:
    """Return (rows, columns) as the codestream of ``frame`` declares, or None where it does not say.

    A JPEG 2000 stream whose tiles exceed what the standard allows counts as (0, 0): it is damaged.
    """
    if frame.startswith(_JPEG_START):
        return _jpeg_size(frame)
    # Some writers wrap the codestream in a JP2 file, whose boxes come first.
    start = frame.find(_JPEG_2000_START, 0, 4096)
    return _jpeg_2000_size(frame[start : start + 40]) if start >= 0 else None


def _jpeg_size(frame: bytes) -> tuple[int, int] | None:
    position = 2
    while position + 9 <= len(frame):
        if frame[position] != 0xFF:
            return None
        marker = frame[position + 1]
        if marker == 0xFF:
            position += 1
        elif marker in _WITHOUT_LENGTH:
            position += 2
        elif marker in _START_OF_FRAME:
            rows, columns = struct.unpack(">HH", frame[position + 5 : position + 9])
            # Zero rows: the number follows at the end of the first scan.
            return (rows, columns) if rows else None
        else:
            position += 2 + int.from_bytes(frame[position + 2 : position + 4], "big")
    return None


def _jpeg_2000_size(head: bytes) -> tuple[int, int] | None:
    if len(head) < 40:
        return None
    right, bottom, left, top, tile_x, tile_y, origin_x, origin_y = struct.unpack(">8L", head[8:40])
    if tile_x == 0 or tile_y == 0:
        return 0, 0
    tiles = -(-(right - origin_x) // tile_x) * -(-(bottom - origin_y) // tile_y)
    return (bottom - top, right - left) if 0 < tiles <= _MAXIMUM_TILES else (0, 0)
