"""What is asked of a language model that writes rationales, and what comes back, whoever runs it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from kdistill_core.teacher.context import RationaleContext


@dataclass(frozen=True)
class Request:
    """One rationale to be written. attempt: 0 for the first try. seed: of the whole run."""

    context: RationaleContext
    attempt: int
    seed: int

    @property
    def draw(self) -> int:
        """Seed of this request alone, uint63: the same text comes back whatever else is in its batch."""
        said = f"{self.context.sha256}:{self.attempt}:{self.seed}"
        return int.from_bytes(hashlib.sha256(said.encode()).digest()[:8], "big") >> 1


@dataclass(frozen=True)
class Draft:
    """What was written for a request: labeled lines as in :mod:`kdistill_core.teacher.parts`.

    fault: why nothing was written (a server that timed out), empty where something was.
    """

    request: Request
    text: str
    fault: str = ""


@dataclass(frozen=True)
class WriterIdentity:
    """Who writes, as far as it decides what is written: it goes into the key of every stored rationale.

    prompt: its name; prompt_sha256: of its content. model_sha256: of weights and adapter; of what a server says of
    itself where its weights cannot be seen. settings: decoding, such as ``temperature 0.7, top-p 0.9``.
    """

    model_name: str
    model_sha256: str
    prompt: str
    prompt_sha256: str
    settings: str


class Writer(Protocol):
    """A language model that writes rationales, in this process or behind a server."""

    @property
    def identity(self) -> WriterIdentity: ...

    def write(self, requests: Sequence[Request]) -> Iterator[Draft]:
        """Yield one draft a request, in any order, as they are finished."""
        ...


def rationale_key(identity: WriterIdentity, context: RationaleContext, seed: int) -> str:
    """Return the address of a rationale: a hash of writer, prompt, settings, seed and context."""
    said: Iterable[str] = (
        identity.model_sha256, identity.prompt_sha256, identity.settings, str(seed), context.sha256,
    )  # fmt: skip
    return hashlib.sha256("\n".join(said).encode()).hexdigest()
