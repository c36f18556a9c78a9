"""Documents that repeat an earlier one, exactly or nearly, found with an index on disk.

Near duplicates by MinHash (Broder 1997) over runs of words, with banded look-up (Leskovec, Rajaraman and Ullman, Mining
of Massive Datasets, chapter 3): texts that share most runs agree in some band of their signatures; the signatures then
say how alike they are. Memory does not grow with the corpus. The index is one SQLite file; what was added since the
last :meth:`DuplicateIndex.commit` is forgotten after a kill.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray
from rensa import RMinHash

from kdistill_core.corpora.errors import CorpusError
from kdistill_core.corpora.shingles import Shingled

_SEED = 1
_BANDS, _ROWS = 16, 8  # finds pairs of likeness .8 with a chance of 1 - (1 - .8**8)**16 = .95
_PERMUTATIONS = _BANDS * _ROWS
_DRAWN = np.random.default_rng(_SEED).integers(2**64, size=_PERMUTATIONS + _BANDS, dtype=np.uint64, endpoint=False)
_FACTORS, _SUMMANDS = _DRAWN[:_PERMUTATIONS] | np.uint64(1), _DRAWN[_PERMUTATIONS:]
_CACHE_KIB = 64 * 1024
_PATIENCE = 5.0  # seconds that another run has to let go of the index
_SCHEMA = """
create table if not exists texts (digest blob primary key, id text not null) without rowid;
create table if not exists signatures (number integer primary key, id text not null, signature blob not null);
create table if not exists bands (hash integer not null, number integer not null, primary key (hash, number))
    without rowid;
create table if not exists parts (name text primary key, counts blob not null);
"""
_MARKS = ",".join("?" * _BANDS)
_FIND = f"select distinct id, signature from bands join signatures using (number) where hash in ({_MARKS})"  # noqa: S608 - marks only


@dataclass(frozen=True)
class Fingerprint:
    """What a text is compared by.

    digest: of its words. signature: uint32 [permutations] as bytes. bands: int64 [bands] as bytes; texts that agree in
    the signature's rows of a band agree in its number.
    """

    digest: bytes
    signature: bytes
    bands: bytes


@dataclass(frozen=True)
class Repeat:
    """That a document repeats an earlier one. likeness: Jaccard index of their runs of words, estimated; 1 if equal."""

    of: str
    likeness: float


def fingerprints(texts: Sequence[Shingled]) -> list[Fingerprint]:
    """Return one fingerprint a text."""
    if not texts:
        return []
    rows = RMinHash.digest_matrix_from_token_sets([text.runs for text in texts], _PERMUTATIONS, _SEED).to_rows()
    signatures = np.asarray(rows, dtype=np.uint32)
    return [
        Fingerprint(
            hashlib.blake2b(" ".join(text.words).encode(), digest_size=16).digest(),
            signature.tobytes(),
            bands.tobytes(),
        )
        for text, signature, bands in zip(texts, signatures, _band_hashes(signatures), strict=True)
    ]


class DuplicateIndex:
    """What was taken into a corpus so far, and by which of its parts.

    threshold: the likeness from which on a document counts as a near duplicate. Use as a context manager.
    Raises CorpusError for a file that is no index, or one that cannot be written.
    """

    def __init__(self, path: Path, threshold: float) -> None:
        self._threshold = threshold
        try:
            self._database = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
            self._database.execute("pragma journal_mode = wal")
            self._database.execute(f"pragma cache_size = -{_CACHE_KIB}")
            self._database.executescript(_SCHEMA)
            self._database.execute("begin immediate")
        except sqlite3.Error as error:
            raise CorpusError(
                f"The index {path} cannot be used: {error}.", "Another run may be using it; else delete the folder."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._database.close()

    def parts(self) -> dict[str, bytes]:
        """Return what was committed with each part."""
        return dict(self._database.execute("select name, counts from parts").fetchall())

    def commit(self, part: str, counts: bytes) -> None:
        """Keep what was added since the last time, as the work of ``part``, with an account of it."""
        self._database.execute("insert into parts values (?, ?)", (part, counts))
        self._database.execute("commit")
        self._database.execute("begin immediate")

    def add(self, name: str, fingerprint: Fingerprint) -> Repeat | None:
        """Return what a document repeats, or add it and return None."""
        bands = np.frombuffer(fingerprint.bands, dtype=np.int64).tolist()
        repeat = self._equal(fingerprint.digest) or self._alike(fingerprint.signature, bands)
        if repeat is None:
            self._insert(name, fingerprint, bands)
        return repeat

    def _equal(self, digest: bytes) -> Repeat | None:
        row = self._database.execute("select id from texts where digest = ?", (digest,)).fetchone()
        return Repeat(row[0], 1.0) if row else None

    def _alike(self, signature: bytes, bands: list[int]) -> Repeat | None:
        candidates: Iterable[tuple[str, bytes]] = self._database.execute(_FIND, bands)
        likest = max(((_likeness(signature, other), name) for name, other in candidates), default=(0.0, ""))
        return Repeat(likest[1], likest[0]) if likest[0] >= self._threshold else None

    def _insert(self, name: str, fingerprint: Fingerprint, bands: list[int]) -> None:
        run = self._database.execute
        run("insert into texts values (?, ?)", (fingerprint.digest, name))
        number = run("insert into signatures (id, signature) values (?, ?)", (name, fingerprint.signature)).lastrowid
        self._database.executemany("insert or ignore into bands values (?, ?)", [(band, number) for band in bands])


def _band_hashes(signatures: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Return int64 [texts, bands] of signatures [texts, permutations], by multilinear hashing (Carter and Wegman 1979).

    Bands at different places never share a number but by chance.
    """
    # Wraps around at 64 bits, as it is meant to.
    products = signatures.astype(np.uint64) * _FACTORS
    hashes: NDArray[np.uint64] = products.reshape(-1, _BANDS, _ROWS).sum(axis=2) + _SUMMANDS
    return hashes.view(np.int64)


def _likeness(signature: bytes, other: bytes) -> float:
    return float((np.frombuffer(signature, dtype=np.uint32) == np.frombuffer(other, dtype=np.uint32)).mean())
