"""A folder of rationales, each under the address of what it was written from, so that nothing is written twice.

    parts/0-of-2-<id>.parquet    rows of one process, written beside and renamed: a part is there whole or not at all
    parts/merged-<id>.parquet    rows of parts that it names in its metadata and that no longer count
    locks/0-of-2.lock            held by the process that writes this share

Parts are only ever added: a run that is killed loses what it had not stored yet and nothing else. Readers need no lock.
"""

from __future__ import annotations

import os
import time
import uuid
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from kdistill_core.teacher.errors import RationaleStoreError
from kdistill_core.teacher.stored_rationale import (
    FORMAT,
    FORMAT_KEY,
    SCHEMA,
    StoredRationale,
    fault_of,
    from_row,
    to_row,
)

PARTS, LOCKS, UNWRITTEN, MERGED = "parts", "locks", "unwritten", "merged-"
REPLACES_KEY = b"kdistill.replaces"
# What a killed run may lose: so many rationales, or those of so long.
FLUSH_EVERY = 64
FLUSH_SECONDS = 60.0
_ROWS = 1024  # read at once
_LOOK_UP = 500  # keys looked up in one pass over the parts
# A lock that is only looked at is held for an instant.
_PATIENCE_SECONDS = 5.0
_DAMAGED_ADVICE = "Copy it again, or delete it: the next run writes anew what it held."


@dataclass(frozen=True)
class Share:
    """The share of one of several processes: the keys whose number leaves ``rank`` when divided by ``of``."""

    rank: int = 0
    of: int = 1

    @property
    def name(self) -> str:
        return f"{self.rank}-of-{self.of}"

    def holds(self, key: str) -> bool:
        return int(key[:16], 16) % self.of == self.rank


@dataclass(frozen=True)
class StoreCheck:
    """What a store holds. doubled: keys that are there more than once; invalid: what is wrong, by key."""

    rationales: int
    accepted: int
    doubled: tuple[str, ...]
    invalid: dict[str, str]

    @property
    def sound(self) -> bool:
        return not self.doubled and not self.invalid


class RationaleStore:
    """The rationales in ``folder``, which need not be there yet. Raises RationaleStoreError for damaged parts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __iter__(self) -> Iterator[StoredRationale]:
        for path in self.parts():
            for row in _rows(path):
                yield _rationale(path, row)

    def parts(self) -> tuple[Path, ...]:
        """Return the parts that count, in order of name."""
        paths = sorted((self.folder / PARTS).glob("*.parquet"))
        replaced = {name for path in paths if path.name.startswith(MERGED) for name in _replaced_by(path)}
        return tuple(path for path in paths if path.name not in replaced)

    def keys(self) -> set[str]:
        """Return the key of every stored rationale, accepted or not."""
        return {row["key"] for path in self.parts() for row in _rows(path, ["key"])}

    def find(self, keys: Collection[str]) -> dict[str, StoredRationale]:
        """Return the rationales under ``keys`` that are there."""
        wanted = list(dict.fromkeys(keys))
        found: dict[str, StoredRationale] = {}
        for start in range(0, len(wanted), _LOOK_UP):
            some = pa.array(wanted[start : start + _LOOK_UP], pa.string())
            for path in self.parts():
                for table in tables_in(path):
                    rows = table.filter(pc.is_in(table["key"], value_set=some)).to_pylist()
                    found.update({row["key"]: _rationale(path, row) for row in rows})
        return found

    def check(self) -> StoreCheck:
        """Read everything and compare: each key once, each row in agreement with itself and its address."""
        seen: Counter[str] = Counter()
        invalid: dict[str, str] = {}
        accepted = 0
        for path in self.parts():
            for row in _rows(path):
                seen[row["key"]] += 1
                accepted += bool(row["accepted"])
                fault = fault_of(row)
                if fault:
                    invalid[row["key"]] = f"{path.name}: {fault}"
        return StoreCheck(seen.total(), accepted, tuple(key for key, count in seen.items() if count > 1), invalid)

    @contextmanager
    def writing(
        self, share: Share | None = None, *, flush_every: int = FLUSH_EVERY, flush_seconds: float = FLUSH_SECONDS
    ) -> Iterator[StoreWriter]:
        """Hold one share of the store for writing; what was written is stored however the block ends.

        Raises RationaleStoreError where another run writes this share, or shares of another number of processes.
        """
        share = share or Share()
        for name in (PARTS, LOCKS):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / LOCKS / f"{share.name}.lock")
        if not _acquired(lock):
            raise _held(self.folder, share.name)
        try:
            self._refuse_other_numbers(share)
            for left in (self.folder / PARTS).glob(f"{share.name}-*.partial"):
                left.unlink()  # of a run that was killed while it stored
            with StoreWriter(self, share, flush_every, flush_seconds) as writer:
                yield writer
        finally:
            lock.release()

    def _refuse_other_numbers(self, share: Share) -> None:
        """Raise where a run of another number of processes is at work: its shares would overlap with these."""
        for path in (self.folder / LOCKS).glob("*.lock"):
            if path.stem.endswith(f"-of-{share.of}"):
                continue
            lock = FileLock(path)
            if not _acquired(lock):
                raise _held(self.folder, path.stem)
            lock.release()


class StoreWriter:
    """Adds rationales of one share. known: the keys that are stored, or waiting to be."""

    def __init__(self, store: RationaleStore, share: Share, flush_every: int, flush_seconds: float) -> None:
        self.store, self.share = store, share
        self.known = store.keys()
        self._every, self._seconds = flush_every, flush_seconds
        self._waiting: list[StoredRationale] = []
        self._flushed = time.monotonic()
        self._unwritten = store.folder / UNWRITTEN / f"{share.name}.jsonl"
        self._unwritten.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.flush()

    def add(self, rationale: StoredRationale) -> None:
        """Keep a rationale. Raises ValueError for one that is there."""
        if rationale.key in self.known:
            raise ValueError(f"The rationale {rationale.key} is stored already.")
        self.known.add(rationale.key)
        self._waiting.append(rationale)
        if len(self._waiting) >= self._every or time.monotonic() - self._flushed >= self._seconds:
            self.flush()

    def leave_unwritten(self, key: str, fault: str) -> None:
        """Note why this run could not write a rationale; the next one will try again."""
        self._unwritten.parent.mkdir(exist_ok=True)
        with self._unwritten.open("ab") as stream:
            stream.write(msgspec.json.encode({"key": key, "fault": fault}) + b"\n")

    def flush(self) -> None:
        """Store what waits as a part of its own."""
        self._flushed = time.monotonic()
        if not self._waiting:
            return
        table = pa.Table.from_pylist([to_row(rationale) for rationale in self._waiting], schema=SCHEMA)
        path = self.store.folder / PARTS / f"{self.share.name}-{uuid.uuid4().hex}.parquet"
        with stored_whole(path) as partial_path:
            pq.write_table(table, partial_path, compression="zstd", write_page_checksum=True)
        self._waiting = []


@contextmanager
def stored_whole(path: Path) -> Iterator[Path]:
    """Yield a path beside ``path`` to write to; it takes the place of ``path`` once it is on the disk."""
    partial_path = path.with_name(path.name + ".partial")
    yield partial_path
    with partial_path.open("rb+") as stream:
        os.fsync(stream.fileno())
    partial_path.replace(path)
    if os.name == "posix":  # elsewhere a folder cannot be opened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _opened(path: Path) -> pq.ParquetFile:
    """Return a part, open for reading. Raises RationaleStoreError for a file that is no whole part."""
    with _reading(path):
        file = pq.ParquetFile(path, page_checksum_verification=True)
    stored = file.schema_arrow
    if (stored.metadata or {}).get(FORMAT_KEY) != FORMAT or not stored.equals(SCHEMA):
        file.close()
        raise RationaleStoreError(
            f"{path} is Parquet, but no part of a store of rationales in this program's format.",
            "Move it out of the folder, or read it with the version that wrote it.",
        )
    return file


def tables_in(path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yield the rows of a part, a thousand or so at a time. Raises RationaleStoreError for a damaged part."""
    with _opened(path) as file:
        batches = file.iter_batches(_ROWS, columns=columns)
        while True:
            with _reading(path):
                batch = next(batches, None)
            if batch is None:
                return
            yield pa.Table.from_batches([batch])


def _rows(path: Path, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    for table in tables_in(path, columns):
        yield from table.to_pylist()


def _rationale(path: Path, row: dict[str, Any]) -> StoredRationale:
    try:
        return from_row(row)
    except (ValueError, TypeError) as error:
        raise RationaleStoreError(f"{path}: the row {row['key']} cannot be read ({error}).", _DAMAGED_ADVICE) from error


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise RationaleStoreError(f"{path} is gone: its run has ended and merged it.", "Read again.") from error
    except (OSError, pa.ArrowException) as error:
        first = (str(error).splitlines() or ["?"])[0]
        raise RationaleStoreError(f"{path} is not a whole Parquet file ({first}).", _DAMAGED_ADVICE) from error


def _replaced_by(path: Path) -> tuple[str, ...]:
    with _opened(path) as file:
        names = file.schema_arrow.metadata.get(REPLACES_KEY, b"[]")
    return msgspec.json.decode(names, type=tuple[str, ...])


def _acquired(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=_PATIENCE_SECONDS)
    except Timeout:
        return False
    return True


def _held(folder: Path, name: str) -> RationaleStoreError:
    return RationaleStoreError(
        f"Another run is writing rationales into {folder} (share {name}).",
        "Wait until it has ended, or stop it; then run the same command.",
    )
