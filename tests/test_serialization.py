"""Every record becomes JSON and comes back unchanged, and its published schema says what is in the JSON."""

from __future__ import annotations

import base64
import dataclasses
import enum
import json
import types
import typing
import zlib
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kdistill_core import records
from kdistill_core.cli.schema import PUBLISHED, file_name, schema_text
from kdistill_core.serialization import RecordError, from_json, json_schema, to_json

SCHEMAS = Path(__file__).resolve().parents[1] / "docs" / "schema"
RECORDS = [
    kind
    for kind in vars(records).values()
    if dataclasses.is_dataclass(kind) and isinstance(kind, type) and kind.__module__ == records.__name__
]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


def values_of(kind) -> st.SearchStrategy:
    """Return a strategy for any annotation that the records use; an unknown one is a fault of this test."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return st.builds(kind, **{field.name: values_of(hints[field.name]) for field in dataclasses.fields(kind)})
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return st.sampled_from(kind)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*map(values_of, arguments))
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(values_of(arguments[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values_of, arguments))
    if origin is dict:
        return st.dictionaries(values_of(arguments[0]), values_of(arguments[1]), max_size=2)
    if origin is np.ndarray:
        dtype = np.dtype(typing.get_args(arguments[1])[0])
        dimensions = 1 if dtype == np.uint16 else 2
        return arrays.arrays(dtype, arrays.array_shapes(min_dims=dimensions, max_dims=dimensions, max_side=3))
    plain = {
        str: TEXT,
        int: st.integers(-(2**53) + 1, 2**53 - 1),
        float: NUMBERS,
        bool: st.booleans(),
        type(None): st.none(),
    }
    return plain[kind]


def same(one, other) -> bool:
    """Return whether two records are equal, arrays compared bit by bit with their dtype."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if dataclasses.is_dataclass(one):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in dataclasses.fields(one))
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def test_the_records_were_found():
    assert {"Study", "Radiograph", "Explanation", "SaliencyMap"} <= {kind.__name__ for kind in RECORDS}


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_a_record_comes_back_unchanged_and_fits_its_schema(kind):
    schema = json_schema(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)

    # The records nest deeply, so that drawing one is slow; 15 examples cover every field several times.
    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(values_of(kind))
    def check(record):
        text = to_json(record)
        assert same(from_json(text, kind), record)
        validator.validate(json.loads(text))

    check()


@pytest.mark.parametrize("dtype", ["uint8", "int16", ">i2", "float32", ">f4", "bool"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_an_array_keeps_its_values_whatever_its_layout_in_memory(dtype, order):
    values = np.array([[0, 1, 2], [3, 4, 5]], dtype=dtype, order=order)
    saliency_map = records.SaliencyMap(values, records.SaliencyTarget(records.TargetKind.CONDITION), "m", (0.0, 0.0))
    back = from_json(to_json(saliency_map), records.SaliencyMap).values
    assert np.array_equal(back, values)
    assert back.dtype == values.dtype.newbyteorder("=")


def test_infinities_and_nans_in_an_array_survive():
    values = np.array([[np.nan, np.inf, -np.inf, -0.0]], dtype=np.float32)
    saliency_map = records.SaliencyMap(values, records.SaliencyTarget(records.TargetKind.WORD), "m", (0.0, 0.0))
    assert from_json(to_json(saliency_map), records.SaliencyMap).values.tobytes() == values.tobytes()


def test_an_array_that_came_back_can_be_written_to():
    saliency_map = records.SaliencyMap(
        np.zeros((2, 2), np.float32), records.SaliencyTarget(records.TargetKind.WORD), "m", (0.0, 0.0)
    )
    back = from_json(to_json(saliency_map), records.SaliencyMap)
    back.values[0, 0] = 1.0


def test_a_later_versions_extra_field_is_passed_over():
    assert from_json('{"start": 1, "end": 2, "color": "red"}', records.Span) == records.Span(1, 2)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"start": 1}',
        '{"start": "one", "end": 2}',
        b"\xff\xfe",
    ],
)
def test_a_text_that_is_not_the_record_is_refused_with_its_name(text):
    with pytest.raises(RecordError, match="Span"):
        from_json(text, records.Span)


@pytest.mark.parametrize(
    "data",
    [
        {"dtype": "float32", "shape": [2, 2], "data": "not base64!"},
        {"dtype": "float32", "shape": [9, 9], "data": "eJxjYGBgAAAABAAB"},
        {"dtype": "object", "shape": [1], "data": ""},
        {"dtype": "float32"},
        {"dtype": "no such type", "shape": [1], "data": ""},
        {"dtype": "float32", "shape": [-1, -1], "data": "eJxjYGBgAAAABAAB"},
        {"dtype": "uint8", "shape": [1], "data": base64.b64encode(zlib.compress(bytes(10**7))).decode()},
        7,
    ],
    ids=[
        "not base64",
        "wrong shape",
        "a dtype of Python objects",
        "without data",
        "an unknown dtype",
        "a negative shape",
        "more data than the shape holds",
        "no object",
    ],
)
def test_a_damaged_array_is_refused(data):
    record = {"values": data, "target": {"kind": "word"}, "method": "m", "peak": [0, 0]}
    with pytest.raises(RecordError):
        from_json(json.dumps(record), records.SaliencyMap)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_schema_is_current(name):
    assert (SCHEMAS / file_name(name)).read_text(encoding="utf-8") == schema_text(name), "run `make schema`"


def test_nothing_else_is_published():
    assert {path.name for path in SCHEMAS.iterdir()} == {file_name(name) for name in PUBLISHED}


def test_the_schema_refuses_what_the_reader_refuses():
    validator = jsonschema.Draft202012Validator(json.loads(schema_text("Finding")))
    assert validator.is_valid({"condition": "Edema", "state": "positive"})
    assert not validator.is_valid({"condition": "Oedema", "state": "positive"})
    with pytest.raises(RecordError):
        from_json('{"condition": "Oedema", "state": "positive"}', records.Finding)
