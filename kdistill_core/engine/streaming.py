"""Text out of token ids as they come, with the characters that each token wrote.

With byte-level tokens a character may take several tokens; it is withheld until it is whole, so that what was
streamed is always a prefix of the final text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kdistill_core.records import Span

_UNFINISHED = "\N{REPLACEMENT CHARACTER}"  # what a decoder puts for bytes that are no character (yet)

Decode = Callable[[Sequence[int]], str]


@dataclass
class TokenStream:
    """Collects token ids; ``decode`` turns ids into text, leaving special tokens out.

    Blanks around the whole text are dropped, as are those around each token in its span.
    """

    decode: Decode
    ids: list[int] = field(default_factory=list)
    streamed: int = 0  # characters handed out so far
    _decoded: str = ""
    _extents: list[tuple[int, int]] = field(default_factory=list)  # of each token in the decoded text, blanks included

    def push(self, token_id: int) -> str:
        """Add a token and return the characters that are certain now and were not before; they may be none."""
        start = len(_settled(self._decoded))
        self.ids.append(token_id)
        self._decoded = self.decode(self.ids)
        settled = len(_settled(self._decoded))
        self._extents.append((start, settled + (settled < len(self._decoded))))
        # A blank at the end may turn out to be the end of the text, which carries none.
        return self._advance(_settled(self._decoded).strip())

    def finish(self) -> str:
        """Return the characters that were still withheld."""
        return self._advance(self.text)

    @property
    def text(self) -> str:
        """The whole text so far, including characters that are not finished."""
        return self._decoded.strip()

    @property
    def spans(self) -> tuple[Span, ...]:
        """The characters of ``text`` that each token wrote, wholly or in part; empty for a token of blanks."""
        lead = len(self._decoded) - len(self._decoded.lstrip())
        return tuple(self._span(start, min(end, len(self._decoded)), lead) for start, end in self._extents)

    def _span(self, start: int, end: int, lead: int) -> Span:
        written = self._decoded[start:end]
        first = start + len(written) - len(written.lstrip())
        last = max(first, start + len(written.rstrip()))
        limit = len(self.text)
        return Span(min(max(first - lead, 0), limit), min(max(last - lead, 0), limit))

    def _advance(self, certain: str) -> str:
        piece = certain[self.streamed :]
        self.streamed = max(self.streamed, len(certain))
        return piece


def _settled(text: str) -> str:
    return text.rstrip(_UNFINISHED)
