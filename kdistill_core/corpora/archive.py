"""The bulk archives of PubMed Central: a ``tar`` of JATS articles, read as it streams."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from io import BytesIO
from typing import IO, cast

from kdistill_core.corpora.damage import OnDamage, stop
from kdistill_core.corpora.documents import Document
from kdistill_core.corpora.errors import CorpusError
from kdistill_core.corpora.jats import read_jats

# The text of the longest articles is some megabytes; what is beyond this would not be read within a fixed memory.
_LONGEST_ARTICLE = 64 * 2**20
_CHUNK = 2**20


def read_jats_archive(stream: IO[bytes], name: str, on_damage: OnDamage = stop) -> Iterator[Document]:
    """Yield the articles of a ``tar``, in its order, one file in memory at a time.

    on_damage: is told of each article that cannot be read. Raises CorpusError where the archive itself is damaged.
    """
    watched = _Watched(stream)
    try:
        with tarfile.open(fileobj=cast("IO[bytes]", watched), mode="r|") as archive:
            for member in archive:
                if member.isfile() and member.name.endswith((".nxml", ".xml")):
                    yield from _articles(archive, member, f"{name}:{member.name}", on_damage)
            watched.refuse_unless_ended(archive.offset, name)
    except tarfile.TarError as error:
        raise CorpusError(
            f"{name} cannot be unpacked: {error}.", "Fetch the archive again; it may be cut off."
        ) from error


def _articles(
    archive: tarfile.TarFile, member: tarfile.TarInfo, name: str, on_damage: OnDamage
) -> tuple[Document, ...]:
    """Return the articles of one file of the archive, all or none."""
    if member.size > _LONGEST_ARTICLE:
        on_damage(CorpusError(f"{name} holds {member.size:,} bytes.", "That is no article; leave it out."))
        return ()
    content = archive.extractfile(member)
    # Read before it is parsed, so that a cut archive is not taken for a damaged article.
    whole = b"" if content is None else content.read()
    try:
        return tuple(read_jats(BytesIO(whole), name))
    except CorpusError as error:
        on_damage(error)
        return ()


class _Watched:
    """A stream whose last bytes are remembered: :mod:`tarfile` takes a broken header for the end of the archive."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._place = 0
        self._last: tuple[bytes, bytes] = (b"", b"")

    def read(self, size: int) -> bytes:
        found = self._stream.read(size)
        self._place += len(found)
        self._last = (self._last[1], found)
        return found

    def refuse_unless_ended(self, place: int, name: str) -> None:
        """Raise CorpusError unless from ``place`` on there is nothing but the zeros that end a tar.

        Reads the stream to its end, so that the checksum of a gzip is compared as well.
        """
        rest = b"".join(self._last)[place - self._place :] if place < self._place else b""
        ended = len(rest) >= tarfile.BLOCKSIZE
        while rest and ended:
            ended = not rest.strip(b"\0")
            rest = self._stream.read(_CHUNK)
        if not ended:
            raise CorpusError(f"{name} is damaged or cut off at byte {place:,}.", "Fetch the archive again.")
