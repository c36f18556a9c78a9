"""Every record to JSON and back without loss, and the JSON Schema of each.

Arrays are stored as ``{"dtype", "shape", "data"}`` with zlib-compressed, base64-encoded little-endian bytes.
"""

from __future__ import annotations

import base64
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
    except (msgspec.DecodeError, ValueError, zlib.error) as error:
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


def _decode_array(kind: type, value: Any) -> object:
    if get_origin(kind) is np.ndarray or kind is np.ndarray:
        raw = zlib.decompress(base64.b64decode(value["data"]))
        dtype = np.dtype(value["dtype"]).newbyteorder("<")
        return np.frombuffer(raw, dtype=dtype).reshape(value["shape"]).astype(np.dtype(value["dtype"]))
    raise NotImplementedError(f"{kind} has no JSON form.")


def _schema_of_array(kind: type) -> dict[str, Any]:
    if get_origin(kind) is np.ndarray or kind is np.ndarray:
        return _ARRAY_SCHEMA
    raise NotImplementedError(f"{kind} has no JSON form.")
