"""Blocks of tokens that a teacher is trained on: several texts in a row, none of which sees another.

A block has one length, so that nothing is padded but its end. Positions begin anew with every text; transformers reads
from that which tokens may attend to which (its packed-sequence mask), with any attention but plain FlashAttention.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from kdistill_core.teacher.errors import TeacherTrainingError

IGNORED = -100  # what transformers' losses pass over


@dataclass(frozen=True)
class Block:
    """A stretch of tokens with what is to be learned of each.

    input_ids, labels: of one length; a label is its token or ``IGNORED``. starts: where a text begins.
    """

    input_ids: tuple[int, ...]
    labels: tuple[int, ...]
    starts: tuple[int, ...]


@dataclass(frozen=True)
class Example:
    """A prompt and the answer to be learned, as token ids; the answer ends with the end-of-text token."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


class LiteratureBlocks(Dataset[Block]):
    """The packed blocks of a built corpus, read from disk as they are asked for."""

    def __init__(self, folder: Path, count: int | None = None) -> None:
        """``folder``: such as ``runs/corpus/packed/training``; ``count``: only the first so many blocks.

        Raises TeacherTrainingError where there is no packed corpus.
        """
        from datasets import load_from_disk

        try:
            rows: Any = load_from_disk(str(folder))
            self._rows = rows if count is None else rows.select(range(min(count, len(rows))))
            self._rows[:1]["starts"]
        except (OSError, ValueError, KeyError) as error:
            raise TeacherTrainingError(
                f"{folder} holds no packed corpus ({error}).", "Build one with `kdistill corpus build`."
            ) from error

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Block:
        row = self._rows[int(index)]
        ids, starts = tuple(row["input_ids"]), tuple(row["starts"])
        # The first token of a text cannot be told from the text before it.
        unforeseeable = frozenset(starts)
        labels = tuple(IGNORED if place in unforeseeable else token for place, token in enumerate(ids))
        return Block(ids, labels, starts)


class ExampleBlocks(Dataset[Block]):
    """Examples packed whole into blocks of ``length`` tokens; only their answers are learned."""

    def __init__(self, examples: Iterable[Example], length: int, padding: int) -> None:
        """``padding``: the token that fills a block up. Raises TeacherTrainingError for an example that is longer."""
        self._blocks = [_block(members, length, padding) for members in _packed(examples, length)]

    def __len__(self) -> int:
        return len(self._blocks)

    def __getitem__(self, index: int) -> Block:
        return self._blocks[index]


def collate(blocks: Sequence[Block]) -> dict[str, Tensor]:
    """Return input_ids, labels and position_ids of blocks of one length, int64 [blocks, length]."""
    return {
        "input_ids": torch.tensor([block.input_ids for block in blocks]),
        "labels": torch.tensor([block.labels for block in blocks]),
        "position_ids": torch.stack([_positions(block) for block in blocks]),
    }


def _positions(block: Block) -> Tensor:
    places = torch.arange(len(block.input_ids))
    begins = torch.zeros_like(places)
    starts = torch.tensor(block.starts, dtype=torch.int64)
    begins[starts] = starts
    return places - begins.cummax(0).values


def _packed(examples: Iterable[Example], length: int) -> Iterator[list[Example]]:
    """Yield what fits into a block, longest first: the first block with room takes an example."""
    bins: list[tuple[int, list[Example]]] = []
    for example in sorted(examples, key=len, reverse=True):
        if len(example) > length:
            raise TeacherTrainingError(
                f"An example of {len(example)} tokens does not fit into blocks of {length}.", "Use longer blocks."
            )
        for place, (room, members) in enumerate(bins):
            if len(example) <= room:
                bins[place] = (room - len(example), [*members, example])
                break
        else:
            bins.append((length - len(example), [example]))
    yield from (members for _, members in bins)


def _block(members: Sequence[Example], length: int, padding: int) -> Block:
    ids: list[int] = []
    labels: list[int] = []
    starts: list[int] = []
    for example in members:
        starts.append(len(ids))
        ids += [*example.prompt, *example.answer]
        labels += [*[IGNORED] * len(example.prompt), *example.answer]
    if len(ids) < length:
        starts.append(len(ids))
    rest = length - len(ids)
    return Block((*ids, *[padding] * rest), (*labels, *[IGNORED] * rest), tuple(starts))
