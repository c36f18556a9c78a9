"""Documents to blocks of tokens of one length, with the places kept where documents begin.

A block may hold the end of one document and the beginning of the next; ``starts`` lets a trainer keep them from
attending to each other. Stored with the ``datasets`` library, so that transformers' Trainer reads it as it is.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kdistill_core.corpora.errors import CorpusError

if TYPE_CHECKING:
    # The processes that only read files need none of it.
    from transformers import PreTrainedTokenizerBase

_BATCH = 256


@dataclass(frozen=True)
class Block:
    """A stretch of tokens. starts: where in it a document begins; 0 stands in it only if one begins there."""

    input_ids: list[int]
    starts: list[int]


def blocks_of(texts: Iterable[str], tokenizer: PreTrainedTokenizerBase, length: int) -> Iterator[Block]:
    """Yield blocks of exactly ``length`` tokens; each document ends with the end-of-text token.

    What is left at the end and fills no block is dropped. Raises CorpusError for a tokenizer without that token.
    """
    end = tokenizer.eos_token_id
    if not isinstance(end, int):
        raise CorpusError("The tokenizer has no end-of-text token.", "Choose the tokenizer of a causal language model.")
    held: list[int] = []
    starts: list[int] = []
    for ids in _tokenized(texts, tokenizer):
        starts.append(len(held))
        held += [*ids, end]
        while len(held) >= length:
            yield Block(held[:length], [start for start in starts if start < length])
            held, starts = held[length:], [start - length for start in starts if start >= length]


def write_blocks(blocks: Iterable[Block], folder: Path) -> int:
    """Write ``folder`` as a data set with the columns input_ids and starts, and return how many blocks it holds.

    Nothing that looks complete is there before it is. Raises CorpusError where there is not one block.
    """
    rows = ({"input_ids": block.input_ids, "starts": block.starts} for block in blocks)
    first = next(rows, None)
    if first is None:
        raise CorpusError(
            f"The documents for {folder.name} do not fill one block.", "Use shorter blocks, or more text."
        )
    work = folder.with_name(folder.name + ".partial")
    shutil.rmtree(work, ignore_errors=True)
    count = _save(chain([first], rows), work)
    shutil.rmtree(folder, ignore_errors=True)
    (work / "data").replace(folder)
    shutil.rmtree(work)
    return count


def _save(rows: Iterable[dict[str, list[int]]], work: Path) -> int:
    """Write ``work/data`` by way of the library's own cache, also in ``work``, and return the number of rows."""
    from datasets import (
        Dataset,
        Features,
        Sequence,
        Value,
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    features = Features({"input_ids": Sequence(Value("int32")), "starts": Sequence(Value("int32"))})
    bars_wanted = not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        # The fingerprint is given because a generator has none of its own.
        made: Any = Dataset.from_generator(
            lambda: rows, features=features, cache_dir=str(work / "cache"), fingerprint=uuid4().hex
        )
        made.save_to_disk(str(work / "data"))
        return len(made)
    finally:
        if bars_wanted:
            enable_progress_bars()


def _tokenized(texts: Iterable[str], tokenizer: PreTrainedTokenizerBase) -> Iterator[list[int]]:
    source = iter(texts)
    while batch := list(islice(source, _BATCH)):
        yield from tokenizer(batch, add_special_tokens=False, verbose=False)["input_ids"]
