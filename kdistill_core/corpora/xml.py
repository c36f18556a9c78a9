"""XML one element at a time, in memory that does not grow with the file.

Entities are not resolved and nothing is fetched, so that a file from anywhere can neither blow up nor reach out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from lxml import etree

from kdistill_core.corpora.documents import one_line
from kdistill_core.corpora.errors import CorpusError


def elements(stream: IO[bytes], tags: tuple[str, ...], name: str) -> Iterator[etree._Element]:
    """Yield each element of one of ``tags``, whole; it is emptied when the next one is asked for.

    name: of the file, for the error. Raises CorpusError where the XML is damaged or cut off.
    """
    try:
        for _, element in etree.iterparse(
            stream, events=("end",), tag=tags, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
        ):
            yield element
            element.clear(keep_tail=False)
            parent = element.getparent()
            while parent is not None and element.getprevious() is not None:
                del parent[0]
    except etree.XMLSyntaxError as error:
        raise CorpusError(
            f"{name}, line {error.lineno}: the XML is damaged ({error.msg}).",
            "Fetch the file again; it may be cut off.",
        ) from error


def text_of(element: etree._Element | None) -> str:
    """Return all text within ``element`` on one line, markup left out; an empty text for None."""
    if element is None:
        return ""
    # Most elements hold no markup, and a corpus has millions of them.
    return one_line("".join(element.itertext()) if len(element) else element.text or "")
