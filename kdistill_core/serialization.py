"""Every record to JSON and back without loss, and the JSON Schema of each.

Arrays are stored as ``{"dtype", "shape", "data"}`` with zlib-compressed, base64-encoded little-endian bytes.
"""

from __future__ import annotations

import base64
import math
import zlib
from typing import Any, TypeVar, get_origin

import msgspec
import numpy as np

from kdistill_core.errors import KDistillError

Record = TypeVar("Record")

_ARRAY_SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "array",
    "properties": {
        "dtype": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
        "data": {"type": "string", "contentEncoding": "base64"},
    },
    "required": ["dtype", "shape", "data"],
}


class RecordError(KDistillError):
    """A text that is not the JSON of the record it was taken for."""


def to_json(record: object, *, indent: int = 2) -> bytes:
    """Return ``record`` as UTF-8 JSON."""
    return msgspec.json.format(msgspec.json.encode(record, enc_hook=_encode_array), indent=indent)


def from_json(text: bytes | str, kind: type[Record]) -> Record:
    """Return the record of type ``kind`` that ``text`` holds. Raises RecordError."""
    try:
        return msgspec.json.decode(text, type=kind, dec_hook=_decode_array)
    except (msgspec.DecodeError, ValueError, TypeError, zlib.error) as error:
        raise RecordError(
            f"The text is not a valid {kind.__name__}: {error}.",
            "Check that the file was written by this version of the program and is complete.",
        ) from error


def json_schema(kind: type[object]) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a record type."""
    schema = msgspec.json.schema(kind, schema_hook=_schema_of_array)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _encode_array(value: object) -> object:
    if isinstance(value, np.ndarray):
        data = np.ascontiguousarray(value).astype(value.dtype.newbyteorder("<"))
        packed = base64.b64encode(zlib.compress(data.tobytes(), level=1))
        return {"dtype": value.dtype.name, "shape": list(value.shape), "data": packed.decode("ascii")}
    raise NotImplementedError(f"{type(value).__name__} has no JSON form.")


class _PackedArray(msgspec.Struct):
    dtype: str
    shape: tuple[int, ...]
    data: str


def _decode_array(kind: type, value: Any) -> object:
    if not (get_origin(kind) is np.ndarray or kind is np.ndarray):
        raise NotImplementedError(f"{kind} has no JSON form.")
    packed = msgspec.convert(value, _PackedArray)
    dtype = np.dtype(packed.dtype)
    if dtype.kind not in "biuf":
        raise ValueError(f"an array of {packed.dtype} is not one of numbers")
    size = math.prod(packed.shape) * dtype.itemsize
    # One byte more than the shape allows for is asked for, so that a small text cannot unpack into all of memory.
    raw = zlib.decompressobj().decompress(base64.b64decode(packed.data, validate=True), size + 1)
    if min(packed.shape, default=0) < 0 or len(raw) != size:
        raise ValueError(f"the data of an array do not fit its shape {list(packed.shape)}")
    return np.frombuffer(raw, dtype=dtype.newbyteorder("<")).reshape(packed.shape).astype(dtype)


def _schema_of_array(kind: type) -> dict[str, Any]:
    if get_origin(kind) is np.ndarray or kind is np.ndarray:
        return _ARRAY_SCHEMA
    raise NotImplementedError(f"{kind} has no JSON form.")
