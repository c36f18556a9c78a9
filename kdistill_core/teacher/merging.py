"""Many small parts of a store of rationales become one, and at no moment is a rationale lost or there twice."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from kdistill_core.teacher.store import MERGED, PARTS, REPLACES_KEY, RationaleStore, stored_whole, tables_in
from kdistill_core.teacher.stored_rationale import SCHEMA

MERGE_FROM = 16  # parts; fewer are quick enough to read
LARGEST = 64 << 20  # bytes; a larger part stays as it is, so that no run rewrites the whole store
_ROWS = 8192  # a row group


def merge_parts(store: RationaleStore, at_least: int = MERGE_FROM) -> int:
    """Merge the small parts of ``store``, where there are ``at_least`` so many, and return how many they were.

    The merged part names those it replaces; from then on they do not count, and are deleted, here or by the next call.
    To be called by one process, when no other writes. Raises RationaleStoreError.
    """
    _delete(store, _not_counting(store))
    small = [path for path in store.parts() if path.stat().st_size <= LARGEST]
    if len(small) < at_least:
        return 0
    names = msgspec.json.encode([path.name for path in small])
    schema = SCHEMA.with_metadata({**SCHEMA.metadata, REPLACES_KEY: names})
    merged = store.folder / PARTS / f"{MERGED}{uuid.uuid4().hex}.parquet"
    with (
        stored_whole(merged) as partial_path,
        pq.ParquetWriter(partial_path, schema, compression="zstd", write_page_checksum=True) as writer,
    ):
        waiting: list[pa.Table] = []
        for path in small:
            waiting.extend(table.replace_schema_metadata(schema.metadata) for table in tables_in(path))
            if sum(table.num_rows for table in waiting) >= _ROWS or path == small[-1]:
                writer.write_table(pa.concat_tables(waiting))
                waiting = []
    _delete(store, small)
    return len(small)


def _not_counting(store: RationaleStore) -> list[Path]:
    counting = set(store.parts())
    return [path for path in (store.folder / PARTS).glob("*.parquet") if path not in counting]


def _delete(store: RationaleStore, paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
    for left in (store.folder / PARTS).glob(f"{MERGED}*.partial"):
        left.unlink()
